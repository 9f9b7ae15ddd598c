package norm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
)

// RecipeFormat is what the files say that they are.
const RecipeFormat = "normswap-recipe-1"

// maxRecipe bounds the size of a file, in bytes: a recipe has a hundred bytes a norm.
const maxRecipe = 16 << 20

// A Recipe says which norms of a model run as what.
type Recipe struct {
	Format   string   `json:"format"`
	Version  string   `json:"version,omitempty"` // of the program that wrote it
	Model    string   `json:"model"`
	ModelSum string   `json:"model_sha256"`
	Text     string   `json:"calibration_text,omitempty"` // "" if nothing was calibrated
	TextSum  string   `json:"calibration_text_sha256,omitempty"`
	Tokens   int      `json:"calibration_tokens,omitempty"`
	Norms    string   `json:"norms"` // the rules it was made from
	Sites    []Choice `json:"sites"`
}

// A Choice is the form of one norm.
type Choice struct {
	Site      string    `json:"site"`
	Norm      string    `json:"norm"`
	Constants Constants `json:"constants,omitempty"`
}

// Form returns the form of a choice.
func (c Choice) Form() (Form, error) {
	f, err := ParseForm(c.Norm)
	if err != nil {
		return Form{}, fmt.Errorf("%w (site %s)", err, c.Site)
	}
	return f, nil
}

// Native is the form of a norm that stays as it is.
func Native() Form { return Form{Kind: native, Parameter: math.NaN()} }

// Read reads a recipe from a file.
func Read(file string) (*Recipe, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("norm: %w", err)
	}
	if info.Size() > maxRecipe {
		return nil, fmt.Errorf("norm: %s has %d bytes, which is no recipe", file, info.Size())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("norm: %w", err)
	}
	r, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, file)
	}
	return r, nil
}

// Parse reads a recipe from JSON.
func Parse(b []byte) (*Recipe, error) {
	r := new(Recipe)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("norm: this is no recipe: %w", err)
	}
	if r.Format != RecipeFormat {
		return nil, fmt.Errorf("norm: a recipe has the format %q, this has %q", RecipeFormat, r.Format)
	}
	if len(r.Sites) == 0 {
		return nil, errors.New("norm: the recipe names no sites")
	}
	seen := map[string]bool{}
	for _, c := range r.Sites {
		if seen[c.Site] {
			return nil, fmt.Errorf("norm: the recipe has the site %s twice", c.Site)
		}
		seen[c.Site] = true
		if _, err := c.Form(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// For checks that the recipe is for a model of the given hash; an empty hash on
// either side is not compared.
func (r *Recipe) For(modelSum string) error {
	if r.ModelSum != "" && modelSum != "" && r.ModelSum != modelSum {
		return fmt.Errorf("norm: the recipe is for the model %s (SHA-256 begins with %.12s), not for this one (%.12s)", r.Model, r.ModelSum, modelSum)
	}
	return nil
}
