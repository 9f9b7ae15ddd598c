package clients

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	model = "tales"
	king  = "Once upon a time there was a king who had three"
)

// address is that of a server, from the environment.
func address(t *testing.T, variable string) string {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Skipf("no %s; tests/clients/run starts a server and sets it", variable)
	}
	return url
}

func connect(t *testing.T) openai.Client {
	t.Helper()
	return openai.NewClient(option.WithBaseURL(address(t, "NORMSWAP_URL")+"/v1"), option.WithAPIKey("any"), option.WithMaxRetries(0))
}

func TestModels(t *testing.T) {
	c := connect(t)
	var names []string
	pages := c.Models.ListAutoPaging(t.Context())
	for pages.Next() {
		names = append(names, pages.Current().ID)
	}
	if want := []string{"tales", "tales:rms-folded", "tales:rms-naive"}; pages.Err() != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v; want %q", names, pages.Err(), want)
	}
}

func TestCompletions(t *testing.T) {
	c := connect(t)
	ask := openai.CompletionNewParams{Model: model, Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(king)},
		MaxTokens: openai.Int(12), Temperature: openai.Float(0), Logprobs: openai.Int(1)}
	whole, err := c.Completions.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	text := whole.Choices[0].Text
	if !strings.HasPrefix(text, " sons") || whole.Usage.CompletionTokens != 12 || strings.Join(whole.Choices[0].Logprobs.Tokens, "") != text {
		t.Errorf("%s", whole.RawJSON())
	}
	stream := c.Completions.NewStreaming(t.Context(), ask)
	streamed := ""
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			streamed += choice.Text
		}
	}
	if stream.Err() != nil || streamed != text {
		t.Errorf("streamed %q, %v; want %q", streamed, stream.Err(), text)
	}
	ask.Model = "tales:rms-folded"
	if folded, err := c.Completions.New(t.Context(), ask); err != nil || folded.Choices[0].Text != text {
		t.Errorf("folded: %v, %v; want %q", folded, err, text)
	}
}

func TestChat(t *testing.T) {
	c := connect(t)
	ask := openai.ChatCompletionNewParams{Model: model, MaxCompletionTokens: openai.Int(12), Temperature: openai.Float(0),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("Tell me of a king.")},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: "add", Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"a": map[string]string{"type": "integer"}}}})}}
	whole, err := c.Chat.Completions.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	ask.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Chat.Completions.NewStreaming(t.Context(), ask)
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			t.Fatalf("a chunk that does not fit: %s", stream.Current().RawJSON())
		}
	}
	if stream.Err() != nil || all.Choices[0].Message.Content != whole.Choices[0].Message.Content || all.Usage.TotalTokens != whole.Usage.TotalTokens {
		t.Errorf("streamed %+v, %v; want %s", all, stream.Err(), whole.RawJSON())
	}
	if whole.Choices[0].FinishReason != "length" || len(whole.Choices[0].Message.ToolCalls) != 0 {
		t.Errorf("%s", whole.RawJSON())
	}
}

func TestEmbeddings(t *testing.T) {
	c := connect(t)
	r, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a king", "a queen"}}})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range r.Data[1].Embedding {
		sum += v * v
	}
	if len(r.Data) != 2 || math.Abs(sum-1) > 1e-5 {
		t.Errorf("%d embeddings, the square of the length is %v", len(r.Data), sum)
	}
}

func TestErrors(t *testing.T) {
	c := connect(t)
	_, err := c.Completions.New(t.Context(), openai.CompletionNewParams{Model: "gpt-4", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(king)}})
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != 404 || e.Code != "model_not_found" || !strings.Contains(e.Message, "tales:rms-naive") {
		t.Errorf("another model: %v", err)
	}
	_, err = c.Completions.New(t.Context(), openai.CompletionNewParams{Model: model, Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(king)}, BestOf: openai.Int(3)})
	if !errors.As(err, &e) || e.StatusCode != 400 || e.Param != "best_of" || e.Type != "invalid_request_error" {
		t.Errorf("best_of: %v", err)
	}
	locked := openai.NewClient(option.WithBaseURL(address(t, "NORMSWAP_LOCKED_URL")+"/v1"), option.WithAPIKey("wrong"), option.WithMaxRetries(0))
	if _, err = locked.Models.List(t.Context()); !errors.As(err, &e) || e.StatusCode != 401 || e.Code != "invalid_api_key" {
		t.Errorf("a wrong key: %v", err)
	}
}

// TestCancel: a request that is cancelled frees its session.
func TestCancel(t *testing.T) {
	c := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := c.Completions.NewStreaming(ctx, openai.CompletionNewParams{Model: model, MaxTokens: openai.Int(400),
		Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(king)}}, option.WithJSONSet("ignore_eos", true))
	for parts := 0; stream.Next(); {
		if parts++; parts == 3 {
			cancel()
		}
	}
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("%v", stream.Err())
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r, err := http.Get(address(t, "NORMSWAP_URL") + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\ninfer_sessions_busy 0\n") {
			return
		}
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%s", b)
		}
	}
}
