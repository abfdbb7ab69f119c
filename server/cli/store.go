package cli

import "github.com/spf13/cobra"

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Look after the store",
	}
	c.AddCommand(a.storeDoctorCommand())
	return c
}
