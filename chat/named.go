package chat

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// templates are for files without a program of their own: the forms of
// llama.cpp (src/llama-chat.cpp) under its names.
//
//go:embed templates
var templates embed.FS

// Names lists the templates that Named knows.
func Names() (names []string) {
	files, err := templates.ReadDir("templates")
	if err != nil {
		panic(err) // they are part of the program
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".jinja"))
	}
	slices.Sort(names)
	return names
}

func named(name string) bool { return slices.Contains(Names(), name) }

// Named returns the template that Names lists under a name, for files that
// have none.
func Named(name string) (*Template, error) {
	if !named(name) {
		return nil, fmt.Errorf("chat: no template %q; there are %s", name, strings.Join(Names(), ", "))
	}
	source, err := templates.ReadFile("templates/" + name + ".jinja")
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	t, err := Parse(string(source))
	if err != nil {
		return nil, err
	}
	t.name = name
	return t, nil
}
