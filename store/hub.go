package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Hub is a server that speaks Hugging Face's protocol. Three of its endpoints are
// used:
//
//	GET /api/models/REPO/revision/REVISION           the commit, and the names of files
//	GET /api/models/REPO/tree/COMMIT?recursive=true  sizes and sums
//	GET /REPO/resolve/COMMIT/FILE                    a file, with ranges
//
// Of mirrors without the second, a HEAD of the third tells sizes and sums.
type Hub struct {
	Endpoint string // such as "https://huggingface.co"
	Token    string // "" if there is none
	Client   *http.Client
	// Wait is the time before the first new attempt after a failure; it doubles.
	Wait time.Duration
}

// DefaultHub is the server that the environment names: HF_ENDPOINT, and the token
// in HF_TOKEN.
func DefaultHub() *Hub {
	h := &Hub{Endpoint: "https://huggingface.co", Token: os.Getenv("HF_TOKEN"), Client: http.DefaultClient, Wait: time.Second}
	if e := os.Getenv("HF_ENDPOINT"); e != "" {
		h.Endpoint = strings.TrimRight(e, "/")
	}
	if h.Token == "" {
		h.Token = os.Getenv("HUGGING_FACE_HUB_TOKEN")
	}
	return h
}

// A StatusError is an answer of the server that is none.
type StatusError struct {
	URL    string
	Status int
	Why    string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answers %d (%s)%s", e.URL, e.Status, http.StatusText(e.Status), e.Why)
}

// get asks for a URL, from a byte on. The caller closes the body.
func (h *Hub) get(ctx context.Context, address string, from int64) (*http.Response, error) {
	return h.ask(ctx, h.Client, http.MethodGet, address, from)
}

func (h *Hub) ask(ctx context.Context, client *http.Client, method, address string, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "normswap")
	req.Header.Set("Accept-Encoding", "identity")
	if h.Token != "" {
		req.Header.Set("Authorization", "Bearer "+h.Token) // not sent on to another host
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK || method == http.MethodHead && resp.StatusCode/100 == 3 || from > 0 && resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	resp.Body.Close()
	why := ""
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		why = ": the repository does not exist, or its license has to be accepted there; a token in HF_TOKEN says who asks"
	case http.StatusNotFound:
		why = ": there is no such repository, revision or file"
	}
	return nil, &StatusError{address, resp.StatusCode, why}
}

// getJSON asks for an object of at most 64 MiB.
func (h *Hub) getJSON(ctx context.Context, address string, v any) (http.Header, error) {
	var header http.Header
	err := h.retry(ctx, func() error {
		resp, err := h.get(ctx, address, 0)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		header = resp.Header
		b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, v); err != nil {
			return fmt.Errorf("%s does not answer with JSON as Hugging Face does: %w", address, err)
		}
		return nil
	})
	return header, err
}

// attempts is how often something is tried that the network or the server fails.
const attempts = 5

// retry calls f until it succeeds, or fails for a reason that will not pass.
func (h *Hub) retry(ctx context.Context, f func() error) error {
	wait := h.Wait
	for i := 1; ; i++ {
		err := f()
		if err == nil || ctx.Err() != nil || i == attempts || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// passing reports whether an error may be gone at the next attempt.
func passing(err error) bool {
	var status *StatusError
	var network *url.Error
	var broken *net.OpError
	switch {
	case errors.As(err, &status):
		return status.Status == http.StatusTooManyRequests || status.Status >= 500
	case errors.As(err, &broken) && broken.Op == "dial":
		return false
	case errors.As(err, &network), errors.As(err, &broken), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return false
}

// A remote is a file of a repository.
type remote struct {
	name   string
	size   int64  // -1 if it is not known
	sha256 string // of files that are stored apart (LFS), else ""
	sha1   string // of git's blob, of the others
}

// list returns the commit of a revision, and its files.
func (h *Hub) list(ctx context.Context, r Ref) (commit string, files []remote, err error) {
	api := h.Endpoint + "/api/models/" + r.Repo
	var info struct {
		SHA      string
		Siblings []struct{ RFilename string }
	}
	if _, err := h.getJSON(ctx, api+"/revision/"+url.PathEscape(r.Revision), &info); err != nil {
		return "", nil, err
	}
	if !commitName.MatchString(info.SHA) {
		return "", nil, fmt.Errorf("%s names the commit %.60q, which is none", h.Endpoint, info.SHA)
	}
	type entry struct {
		Type, Path, OID string
		Size            int64
		LFS             *struct {
			OID  string
			Size int64
		}
	}
	next := api + "/tree/" + info.SHA + "?recursive=true"
	for next != "" {
		var page []entry
		header, err := h.getJSON(ctx, next, &page)
		var status *StatusError
		if errors.As(err, &status) && status.Status == http.StatusNotFound && files == nil {
			for _, s := range info.Siblings {
				if localName(s.RFilename) {
					files = append(files, remote{name: s.RFilename, size: -1})
				}
			}
			return info.SHA, files, nil
		}
		if err != nil {
			return "", nil, err
		}
		for _, e := range page {
			f := remote{name: e.Path, size: e.Size, sha1: e.OID}
			if e.LFS != nil {
				f.size, f.sha256, f.sha1 = e.LFS.Size, strings.TrimPrefix(e.LFS.OID, "sha256:"), ""
			}
			switch {
			case e.Type == "directory":
			case !localName(f.name) || f.size < 0 || !sumName.MatchString(f.sha256+f.sha1):
				return "", nil, fmt.Errorf("%s lists the file %.80q of %d bytes with the sum %.80q, which cannot be", h.Endpoint, f.name, f.size, f.sha256+f.sha1)
			default:
				files = append(files, f)
			}
		}
		next = nextPage(next, header)
	}
	return info.SHA, files, nil
}

var (
	commitName = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sumName    = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	nextLink   = regexp.MustCompile(`<([^>]*)>\s*;[^,]*rel="?next"?`)
)

// localName reports whether a name stays within a folder, on every system.
func localName(name string) bool {
	return name != "" && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsAny(name, "\\:\x00")
}

// nextPage returns the address of the next page; "" if there is none.
func nextPage(address string, header http.Header) string {
	link := nextLink.FindStringSubmatch(header.Get("Link"))
	base, err := url.Parse(address)
	if link == nil || err != nil {
		return ""
	}
	next, err := base.Parse(link[1])
	if err != nil || next.Host != base.Host || next.String() == address {
		return ""
	}
	return next.String()
}

// resolve returns the address of a file.
func (h *Hub) resolve(r Ref, commit, name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return h.Endpoint + "/" + r.Repo + "/resolve/" + commit + "/" + strings.Join(parts, "/")
}

// head asks for the size and the sum of a file.
func (h *Hub) head(ctx context.Context, address string, f *remote) error {
	client := *h.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the first answer has them
	var resp *http.Response
	err := h.retry(ctx, func() (err error) {
		if resp, err = h.ask(ctx, &client, http.MethodHead, address, 0); err == nil {
			resp.Body.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	first := func(keys ...string) string {
		for _, k := range keys {
			if v := resp.Header.Get(k); v != "" {
				return v
			}
		}
		return ""
	}
	sum := strings.Trim(strings.TrimPrefix(first("X-Linked-Etag", "ETag"), "W/"), `"`)
	size, err := strconv.ParseInt(first("X-Linked-Size", "Content-Length"), 10, 64)
	if err != nil || size < 0 || !sumName.MatchString(sum) {
		return fmt.Errorf("%s tells neither a size nor a sum", address)
	}
	f.size = size
	if len(sum) == 64 {
		f.sha256 = sum
	} else {
		f.sha1 = sum
	}
	return nil
}

// wanted returns those of a repository's files that a model is made of.
func wanted(files []remote, r Ref) ([]remote, error) {
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	keep := func(list []string) []remote {
		return slices.DeleteFunc(slices.Clone(files), func(f remote) bool { return !slices.Contains(list, f.name) })
	}
	if r.File != "" || !slices.ContainsFunc(names, isWeights) || !slices.Contains(names, "config.json") {
		picked, err := pick(names, r)
		return keep(picked), err
	}
	weights := isSafetensors
	if !slices.ContainsFunc(names, isSafetensors) {
		weights = isPickle
	}
	return keep(slices.DeleteFunc(names, func(n string) bool {
		return !(weights(n) && !strings.Contains(n, "/") || slices.ContainsFunc(beside, func(p string) bool { ok, _ := path.Match(p, n); return ok }))
	})), nil
}

// beside are the files that belong to a model beside its weights.
var beside = []string{
	"*.json", "1_Pooling/config.json", "*.model", "*.spm",
	"vocab.txt", "merges.txt", "*.jinja", "LICENSE*", "NOTICE*", "README.md",
}
