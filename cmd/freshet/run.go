package main

import "github.com/spf13/cobra"

// runCommands are the commands that run the service, its roles, and replays of it.
func (c *cli) runCommands() []*cobra.Command { return grouped(groupRun) }
