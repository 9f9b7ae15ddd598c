// Speeds, as llama-bench and llama-batched-bench measure them.

#include "peer.h"

typedef struct ggml_threadpool * (*threadpool_new)(struct ggml_threadpool_params *);
typedef void (*threadpool_free)(struct ggml_threadpool *);

static void * function(const char * name) {
    return check(ggml_backend_reg_get_proc_address(cpu, name), name);
}

// A context with a resident thread pool, and llama-bench's defaults for everything else.
struct bench_context {
    struct llama_context *   ctx;
    struct ggml_threadpool * pool;
};

static struct bench_context new_context(struct llama_model * model, int n_ctx, int n_seq) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx           = n_ctx;
    params.n_seq_max       = n_seq;
    params.n_batch         = 2048;
    params.n_ubatch        = 512;
    params.flash_attn_type = opt.flash;
    struct llama_context * ctx = check(llama_init_from_model(model, params), "creating a context");

    struct ggml_threadpool_params pool_params = ggml_threadpool_params_default(opt.t);
    threadpool_new                pool_new    = (threadpool_new) function("ggml_threadpool_new");
    struct ggml_threadpool *      pool        = check(pool_new(&pool_params), "creating a thread pool");
    llama_attach_threadpool(ctx, pool, NULL);
    llama_set_n_threads(ctx, opt.t, opt.t);
    return (struct bench_context) { ctx, pool };
}

static void free_context(struct bench_context b) {
    llama_free(b.ctx);
    ((threadpool_free) function("ggml_threadpool_free"))(b.pool);
}

// report prints a speed under llama-bench's name of the test.
static void report(const char * test, double tokens_per_second) {
    char depth[32] = "";
    if (opt.d > 0) snprintf(depth, sizeof depth, " @ d%d", opt.d);
    printf("{\"test\":\"%s%s\",\"n_threads\":%d,\"avg_ts\":%.4f}\n", test, depth, opt.t, tokens_per_second);
    fflush(stdout);
}

// run_tokens evaluates n random tokens, `step` at a time.
static void run_tokens(struct llama_context * ctx, int n, int step) {
    const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(ctx)));
    int32_t * tokens  = check(malloc(sizeof(int32_t) * step), "malloc");
    for (int done = 0; done < n; done += step) {
        const int count = n - done < step ? n - done : step;
        for (int i = 0; i < count; i++) tokens[i] = rand() % n_vocab;
        decode(ctx, llama_batch_get_one(tokens, count));
    }
    free(tokens);
}

// bench_alone times a prompt and the generating of tokens (0: none) as llama-bench does:
// a context of just the length needed, a warm-up. What is in the cache before them is
// computed once for both.
static void bench_alone(struct llama_model * model, int prompt, int gen) {
    if (prompt + gen == 0) return;
    const int            batch = 2048;
    struct bench_context b     = new_context(model, opt.d + (prompt > gen ? prompt : gen), 1);
    llama_memory_t       mem   = llama_get_memory(b.ctx);
    run_tokens(b.ctx, prompt, batch);
    llama_memory_clear(mem, false);
    run_tokens(b.ctx, gen > 0, 1);
    for (int i = 0; i < opt.r; i++) {
        llama_memory_clear(mem, false);
        run_tokens(b.ctx, opt.d, batch);
        for (int prefill = 1; prefill >= 0; prefill--) {
            const int n = prefill ? prompt : gen;
            if (n == 0) continue;
            char test[32];
            snprintf(test, sizeof test, "%s%d", prefill ? "pp" : "tg", n);
            const double start = seconds();
            run_tokens(b.ctx, n, prefill ? batch : 1);
            report(test, n / (seconds() - start));
            llama_memory_seq_rm(mem, 0, opt.d, -1);
        }
    }
    free_context(b);
}

// bench_sessions times the generating of some sequences at once, as
// llama-batched-bench does: a batch of one random token of each, logits of all.
static void bench_sessions(struct llama_model * model, int n_seq) {
    struct bench_context b       = new_context(model, n_seq * (opt.d + opt.n + 1), n_seq);
    const int            n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    struct llama_batch   batch   = llama_batch_init(n_seq, 0, 1);
    char                 test[32];
    snprintf(test, sizeof test, "tg%d x %d", opt.n, n_seq);
    for (int i = -1; i < opt.r; i++) { // the first one warms up
        llama_memory_clear(llama_get_memory(b.ctx), false);
        double start = seconds();
        for (int pos = 0; pos < opt.d + opt.n; pos++) {
            if (pos == opt.d) start = seconds();
            batch.n_tokens = 0;
            for (int s = 0; s < n_seq; s++) {
                const int32_t token = rand() % n_vocab;
                append(&batch, &token, 1, s);
                batch.pos[s] = pos;
            }
            decode(b.ctx, batch);
            if (i < 0 && pos == opt.d + 8) break;
        }
        if (i >= 0) report(test, opt.n * n_seq / (seconds() - start));
    }
    llama_batch_free(batch);
    free_context(b);
}

void bench(void) {
    struct llama_model * model = load_model();
    bench_alone(model, opt.p, opt.sessions ? 0 : opt.n);
    if (opt.sessions) {
        int32_t * counts;
        const int n = parse_list(opt.sessions, &counts);
        for (int i = 0; i < n; i++) bench_sessions(model, counts[i]);
    }
}
