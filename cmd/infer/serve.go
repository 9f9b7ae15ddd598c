package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/serve"
	"github.com/spf13/cobra"
)

// serveFlags are those of infer serve.
type serveFlags struct {
	modelFlags
	guess                     guessFlags
	recipes                   []string // files
	host, key, name, template string
	port, parallel, maxBody   int
	maxTime, patience         time.Duration
	logs                      choice
}

func newServe() *cobra.Command {
	var o serveFlags
	cmd := &cobra.Command{
		Use:   "serve [MODEL]",
		Short: "Answer requests by HTTP in the form of OpenAI's API and Ollama's",
		Long: `serve loads a model, or the small one that is part of the program, and answers
requests until it is interrupted: completions, chat, embeddings, rerank, score,
tokenize. Programs for OpenAI's API work with it at the URL http://HOST:PORT/v1,
those for Ollama's at http://HOST:PORT. A page to type into is there too.

The name of a model chooses its norms: NAME as the flags say, NAME:rms-folded
and NAME:rms-naive; /v1/models lists them.

Only this machine can reach it unless --host says otherwise. A key that
requests must have comes from --api-key or from INFER_API_KEY in the
environment, where other users of the machine do not see it. After Ctrl-C
requests in progress have the time of --grace to end.`,
		Example: `  infer serve model.gguf
  infer serve --port 9000                         the model in this program
  infer serve model.gguf --parallel 8 --ctx 2048
  curl http://127.0.0.1:8080/v1/completions -d '{"prompt": "Once upon"}'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("serve: unexpected argument %q; see infer serve --help", args[1])
			}
			return nil
		},
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), modelArg(args))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.host, "host", "127.0.0.1", "`address` to listen on; 0.0.0.0: all of this machine")
	f.IntVar(&o.port, "port", 8080, "`port` to listen on; 0: one that is free")
	f.IntVar(&o.parallel, "parallel", 4, "`sessions` that compute at once; more requests wait")
	f.StringVar(&o.key, "api-key", "", "the `key` that requests must have (default: INFER_API_KEY, or none)")
	f.StringVar(&o.name, "name", "", "`name` of the model in the API (default: that of the file)")
	f.IntVar(&o.maxBody, "max-body", 8, "`MiB` that a request may have")
	f.DurationVar(&o.maxTime, "max-time", 0, "`time` that a request may take, such as 5m; 0: without bound")
	f.DurationVar(&o.patience, "grace", 10*time.Second, "`time` that requests have to end after Ctrl-C")
	addChoice(cmd, &o.logs, "log", "text", "form of the log on stderr", "text", "json", "none")
	f.StringArrayVar(&o.recipes, "recipe", nil, "a `file` of infer calibrate, served as NAME@FILE, FILE without its folder and .json; may be repeated")
	o.guess.add(cmd)
	addTemplateName(cmd, &o.template)
	o.add(cmd, "f16")
	addTokenizer(cmd, &o.tokenizer)
	return cmd
}

func (o *serveFlags) check() error {
	switch {
	case o.port < 0 || o.port > 65535:
		return usagef("--port %d: want a number up to 65535", o.port)
	case o.parallel < 1 || o.parallel > 1024:
		return usagef("--parallel %d: want a number from 1 to 1024", o.parallel)
	case o.maxBody < 1 || o.maxBody > 1<<20:
		return usagef("--max-body %d: want 1 or more", o.maxBody)
	case o.maxTime < 0 || o.patience < 0:
		return usagef("--max-time and --grace are no negative times")
	}
	if o.key == "" {
		o.key = os.Getenv("INFER_API_KEY")
	}
	if err := o.guess.check(); err != nil {
		return err
	}
	return o.modelFlags.check()
}

func (o *serveFlags) run(ctx context.Context, path string) error {
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	if o.name == "" {
		if o.name = tales.Name; path != "" {
			o.name = strings.TrimSuffix(filepath.Base(path), ".gguf")
		}
	}
	options := serve.Options{Name: o.name, Model: m, Parallel: o.parallel, Context: o.context, KV: o.cacheType(), Key: o.key,
		MaxBody: int64(o.maxBody) << 20, MaxTime: o.maxTime, Log: o.logger()}
	options.Variant = func(ctx context.Context, norm engine.NormMode) (*engine.Model, error) { return o.variant(ctx, m, norm) }
	for _, path := range o.recipes {
		if err := (&normFlag{"@" + path}).into(new(engine.Options), m.File); err != nil {
			return err
		}
		options.Recipes = append(options.Recipes, serve.Recipe{Name: strings.TrimSuffix(filepath.Base(path), ".json"), Load: func(ctx context.Context) (*engine.Model, error) {
			return o.variant(ctx, m, engine.NormMode("@"+path))
		}})
	}
	options.Lookup, options.GuessMax = o.guess.lookup, o.guess.most
	if options.Draft, err = o.guess.openDraft(ctx, o.modelFlags); err != nil {
		return err
	}
	if options.Draft != nil {
		defer options.Draft.Close()
	}
	if tok, err := m.Tokenizer(); err != nil {
		note("warning: %v; requests must have token ids", err)
	} else if m.Arch.Spec.Encoder {
		note("the model is an encoder: it serves embeddings")
	} else if options.Template, err = templateOf(tok, o.template); err != nil && (o.template != "" || !errors.Is(err, chat.ErrNoTemplate)) {
		return err
	}
	if !m.Arch.Spec.Encoder { // room for a session is better known now
		if _, err := m.NewSession(engine.SessionOptions{Context: o.context, KV: o.cacheType()}); err != nil {
			return err
		}
	}
	s, err := serve.New(options)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(o.host, strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	note("%s at http://%s/v1, for programs of Ollama and as a page at http://%s/", o.name, l.Addr(), l.Addr())
	return o.listen(ctx, l, s)
}

// logger is the log of requests.
func (o *serveFlags) logger() *slog.Logger {
	switch o.logs.value {
	case "json":
		return slog.New(slog.NewJSONHandler(stderr.file, nil))
	case "none":
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(stderr.file, nil))
}

// listen serves until ctx is cancelled. Then requests have time to end, and those
// that remain are cancelled.
func (o *serveFlags) listen(ctx context.Context, l net.Listener, s *serve.Server) error {
	const last = 2 * time.Second // for those that are cancelled
	grace.Store(int64(o.patience + 2*last))
	h := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	wait := func(time time.Duration) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time)
		defer cancel()
		return h.Shutdown(ctx)
	}
	note("stopping")
	if wait(o.patience) == nil {
		return nil
	}
	s.Close()
	if err := wait(last); err != nil {
		return h.Close()
	}
	return nil
}
