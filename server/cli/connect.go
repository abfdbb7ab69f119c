package cli

import (
	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
)

// configFlag adds --config to a command and those below it.
func (a *app) configFlag(c *cobra.Command) {
	c.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `FILE` (default: $GRANTD_CONFIG, else none)")
}

// connectFlags adds what says which server is managed.
func (a *app) connectFlags(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().StringVar(&a.socket, "socket", "", "admin socket of the server, a `PATH` (default: admin.socket of the configuration)")
	a.configFlag(c)
	return c
}

// connect answers the server to manage.
func (a *app) connect() (*api, error) {
	if a.socket != "" {
		return socketAPI(a.socket), nil
	}
	cfg, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	return socketAPI(cfg.Admin.Socket), nil
}

func (a *app) loadConfig() (config.Config, []string, error) {
	return config.Load(config.LoadOptions{File: a.configPath(), Env: a.env})
}

// readConfig is loadConfig for commands that have no log.
func (a *app) readConfig() (config.Config, error) {
	cfg, warnings, err := a.loadConfig()
	for _, w := range warnings {
		a.say("warning: %s", w)
	}
	return cfg, err
}

// configPath is the configuration file, or "" for none.
func (a *app) configPath() string {
	if a.configFile != "" {
		return a.configFile
	}
	return a.lookup("GRANTD_CONFIG")
}

// ask makes one call of the admin API.
func (a *app) ask(c *cobra.Command, what call) ([]byte, error) {
	server, err := a.connect()
	if err != nil {
		return nil, err
	}
	return server.do(c.Context(), what)
}
