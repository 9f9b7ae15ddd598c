// Package norm defines the forms that a norm of a trained model may be given,
// and recipes that say which norm of a model gets which.
//
// Every form is one map of a vector x of width d,
//
//	y = standardize(x) * gain + bias
//
// and differs in what standardizes. A [Kind] is one form: its name, its source,
// what it calibrates on hidden vectors, and how it is computed. A new form is a new
// file that adds a Kind to the list in kinds.go.
//
// A [Recipe] is a small JSON file: the sites of a model, a form for each, its
// constants, and the hashes of the model and of the text that these were calibrated
// on.
package norm
