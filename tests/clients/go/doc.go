// Package clients tests infer serve with OpenAI's own package for Go. It is a module of
// its own, so that nobody else needs that package.
package clients
