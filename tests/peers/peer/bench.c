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

// bench_one times one test as llama-bench does: a context of just the length
// needed, a warm-up.
static void bench_one(struct llama_model * model, bool prefill, int n) {
    const int            batch = 2048;
    struct bench_context b     = new_context(model, opt.d + n, 1);
    const int            step  = prefill ? batch : 1;
    char                 test[32];
    snprintf(test, sizeof test, "%s%d", prefill ? "pp" : "tg", n);
    run_tokens(b.ctx, prefill ? n : 1, step);
    for (int i = 0; i < opt.r; i++) {
        llama_memory_clear(llama_get_memory(b.ctx), false);
        run_tokens(b.ctx, opt.d, batch);
        const double start = seconds();
        run_tokens(b.ctx, n, step);
        report(test, n / (seconds() - start));
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
    if (opt.p > 0) bench_one(model, true, opt.p);
    if (opt.sessions) {
        int32_t * counts;
        const int n = parse_list(opt.sessions, &counts);
        for (int i = 0; i < n; i++) bench_sessions(model, counts[i]);
    } else if (opt.n > 0) {
        bench_one(model, false, opt.n);
    }
}
