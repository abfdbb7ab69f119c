package store

import "slices"

// MergeNetworks returns the networks that are kept once some were added.
func MergeNetworks(kept, added []string) []string {
	merged := slices.Clone(kept)
	for _, n := range added {
		merged = append(slices.DeleteFunc(merged, func(k string) bool { return k == n }), n)
	}
	return merged[max(len(merged)-MaxNetworks, 0):]
}
