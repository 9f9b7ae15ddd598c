package main

import (
	"bytes"
	"strings"
	"testing"
)

// Help lists every command, once.
func TestHelpListsCommands(t *testing.T) {
	root := newRoot()
	var help bytes.Buffer
	writeUsage(&help, root)
	for _, c := range root.Commands() {
		if n := strings.Count(help.String(), "\n  "+c.Name()+" "); n != 1 && !c.Hidden {
			t.Errorf("help lists %s %d times", c.Name(), n)
		}
	}
}
