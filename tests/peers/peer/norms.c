// What the norms cost in ggml.

#include "peer.h"

// The chains that norms() times, as llama.cpp's graphs build them.
enum { LAYER_NORM, RMS_NORM, CHAINS };
static const char * chain_names[CHAINS] = { "norm+mul+add", "rms_norm+mul" };

static double time_chain(ggml_backend_t backend, int chain, int d, int rows) {
    enum { LINKS = 8 };
    struct ggml_init_params params = { .mem_size = 1 << 20, .no_alloc = true };
    struct ggml_context *   ctx    = check(ggml_init(params), "ggml_init");
    struct ggml_tensor *    x      = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, d, rows);
    struct ggml_tensor *    gain   = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, d);
    struct ggml_tensor *    bias   = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, d);
    ggml_backend_buffer_t   inputs = check(ggml_backend_alloc_ctx_tensors(ctx, backend), "allocating tensors");

    struct ggml_tensor * y = x;
    for (int i = 0; i < LINKS; i++) {
        if (chain == LAYER_NORM) {
            y = ggml_add(ctx, ggml_mul(ctx, ggml_norm(ctx, y, 1e-5f), gain), bias);
        } else {
            y = ggml_mul(ctx, ggml_rms_norm(ctx, y, 1e-5f), gain);
        }
    }
    struct ggml_cgraph * graph = ggml_new_graph(ctx);
    ggml_build_forward_expand(graph, y);
    ggml_gallocr_t alloc = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
    if (!ggml_gallocr_alloc_graph(alloc, graph)) die("allocating a graph failed");

    float * data = check(malloc(sizeof(float) * d * rows), "malloc");
    for (int i = 0; i < d * rows; i++) data[i] = (float) rand() / RAND_MAX - 0.3f;
    ggml_backend_tensor_set(x, data, 0, ggml_nbytes(x));
    ggml_backend_tensor_set(bias, data, 0, ggml_nbytes(bias));
    for (int i = 0; i < d; i++) data[i] += 1;
    ggml_backend_tensor_set(gain, data, 0, ggml_nbytes(gain));

    double best = INFINITY;
    for (int round = 0; round < 10; round++) {
        int          graphs = 0;
        const double start  = seconds();
        double       spent;
        do {
            if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) die("computing a graph failed");
            graphs++;
            spent = seconds() - start;
        } while (spent < 1e-3);
        if (spent / graphs < best) best = spent / graphs;
    }
    ggml_backend_tensor_get(y, data, 0, ggml_nbytes(y));
    for (int i = 0; i < d * rows; i++) {
        if (!isfinite(data[i])) die("%s gave a value that is not finite", chain_names[chain]);
    }
    free(data);
    ggml_gallocr_free(alloc);
    ggml_backend_buffer_free(inputs);
    ggml_free(ctx);
    return best / rows / LINKS;
}

// norms prints the best time per row in nanoseconds, one thread, rows in cache.
void norms(void) {
    ggml_backend_t backend = check(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, NULL), "creating ggml's CPU back end");
    ggml_backend_set_n_threads_t set_threads =
        (ggml_backend_set_n_threads_t) check(ggml_backend_reg_get_proc_address(cpu, "ggml_backend_set_n_threads"), "finding ggml_backend_set_n_threads");
    set_threads(backend, 1);
    int32_t * dims;
    const int n = parse_list(opt.dims, &dims);
    for (int chain = 0; chain < CHAINS; chain++) {
        for (int i = 0; i < n; i++) {
            printf("{\"op\":\"%s\",\"d\":%d,\"rows\":%d,\"ns\":%.1f}\n", chain_names[chain], dims[i], opt.rows, 1e9 * time_chain(backend, chain, dims[i], opt.rows));
            fflush(stdout);
        }
    }
    ggml_backend_free(backend);
}

