package engine

import "strings"

// A StopText cuts a text that grows before the first of some strings in it. What
// may be the beginning of one is held back.
type StopText struct {
	stops []string
	held  string
}

// NewStopText makes one for strings, of which empty ones do not count.
func NewStopText(stops ...string) *StopText {
	t := &StopText{}
	for _, s := range stops {
		if s != "" {
			t.stops = append(t.stops, s)
		}
	}
	return t
}

// Push adds to the text and returns what is sure to belong to it. Once a string
// is found it reports so, and what follows does not belong to the text.
func (t *StopText) Push(text string) (sure string, found bool) {
	t.held += text
	at := -1
	for _, s := range t.stops {
		if i := strings.Index(t.held, s); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at >= 0 {
		sure, t.held = t.held[:at], ""
		return sure, true
	}
	keep := 0
	for _, s := range t.stops {
		for n := min(len(s)-1, len(t.held)); n > keep; n-- {
			if strings.HasSuffix(t.held, s[:n]) {
				keep = n
			}
		}
	}
	sure, t.held = t.held[:len(t.held)-keep], t.held[len(t.held)-keep:]
	return sure, false
}

// Flush returns what was held back, when the text has ended.
func (t *StopText) Flush() string {
	rest := t.held
	t.held = ""
	return rest
}
