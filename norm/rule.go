package norm

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Place is one norm of a model: its name in the graph, its role (arch.Role) and its
// layer, -1 outside the layers.
type Place struct {
	Site, Role string
	Layer      int
}

// A Rule gives a form to some norms of a model.
type Rule struct {
	Where string // "" all, a site, a pattern such as blk.*.attn_norm, a role, or layers such as 3 or 0-5
	Form  Form
}

// Matches reports whether the rule is for a norm.
func (r Rule) Matches(p Place) bool { return r.Where == "" || Matches(r.Where, p) }

// Matches reports whether where means a norm: the name of its site, a pattern of such
// names, its role, "embed" for one on the embedding, or a range of layers.
func Matches(where string, p Place) bool {
	if lo, hi, ok := layersOf(where); ok {
		return p.Layer >= lo && p.Layer <= hi
	}
	matched, _ := path.Match(where, p.Site)
	return matched || where == p.Role || where == "embed" && p.Role == "embedding"
}

// layersOf reads "3" or "0-5".
func layersOf(where string) (lo, hi int, ok bool) {
	from, to, ranged := strings.Cut(where, "-")
	lo, err := strconv.Atoi(from)
	if err != nil || lo < 0 {
		return 0, 0, false
	}
	if !ranged {
		return lo, lo, true
	}
	hi, err = strconv.Atoi(to)
	return lo, hi, err == nil && hi >= lo
}

// ParseRules reads "fixed", or "ln1=rms-naive,final=fixed": forms for all norms or
// for those of a place. Of several rules for a norm the last one counts; a norm
// without a rule stays native.
func ParseRules(text string) ([]Rule, error) {
	var rules []Rule
	for item := range strings.SplitSeq(text, ",") {
		where, form, placed := strings.Cut(strings.TrimSpace(item), "=")
		if !placed {
			where, form = "", where
		} else if where == "" {
			return nil, fmt.Errorf("norm: %q names no norms before the =", item)
		}
		if _, err := path.Match(where, ""); err != nil {
			return nil, fmt.Errorf("norm: the pattern %q: %w", where, err)
		}
		f, err := ParseForm(form)
		if err != nil {
			return nil, err
		}
		rules = append(rules, Rule{where, f})
	}
	return rules, nil
}

// Resolve returns the form of each place; native where no rule is. A rule that is for
// no place is an error.
func Resolve(rules []Rule, places []Place) ([]Form, error) {
	forms := make([]Form, len(places))
	for i := range forms {
		forms[i] = Native()
	}
	for _, r := range rules {
		found := false
		for i, p := range places {
			if r.Matches(p) {
				forms[i], found = r.Form, true
			}
		}
		if !found {
			var roles []string
			for _, p := range places {
				if !slices.Contains(roles, p.Role) {
					roles = append(roles, p.Role)
				}
			}
			return nil, fmt.Errorf("norm: the model has no norm %q for %s; its norms have the roles %s", r.Where, r.Form, strings.Join(roles, ", "))
		}
	}
	return forms, nil
}
