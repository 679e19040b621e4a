// Generates the samples `begin` to `end` of all sounds in one launch, see ../drawing.cu, which goes
// before this file. The kernel does what `QueueState` in state.py does, sample by sample.
//
//   first       columns of conv1, (2, levels, maps): for the sample before the last one, and for
//               the last one
//   gates       weights of the dilated convolutions, (layers, 2 maps, width, maps): the first half
//               of the outputs is for the tanh, the other for the sigmoid
//   gates_b     their biases and what the classes add, (layers, sounds, 2 maps)
//   output      the 1x1 convolutions of the layers, (layers, rows, maps): in the author's form
//               2 * maps rows, for the residual and for the skip connection; in the paper's form
//               maps rows for both
//   given       (time): whether samples holds the value already
//   uniforms    (time, sounds)
//   samples     (sounds, time): level / (levels - 1)
//   queues      inputs of the layers, (sounds, (width - 1) * sum of the dilations, maps): a layer's
//               input of sample t at t % ((width - 1) * dilation) of its part
//   x, …        arrays of one sample, (sounds, ...)

extern "C" __global__ void __launch_bounds__(1024) draw_samples(
    int begin, int end, int length, int levels, int maps, int out_maps, int layers, int in_stack,
    int width, int rows, int queue_size,
    const float* first, const float* first_b, const float* gates, const float* gates_b,
    const float* output, const float* output_b, const float* conv2, const float* conv2_b,
    const float* conv3, const float* conv3_b,
    const unsigned char* given, const double* uniforms, float* samples, float* queues,
    float* x, float* h, float* skips, float* before3, float* logits)
{
    int sound = blockIdx.x, sounds = gridDim.x, thread = threadIdx.x, threads = blockDim.x;
    int lane = thread % 32, warp = thread / 32, warps = threads / 32;
    samples += (long long)sound * length;
    queues += (long long)sound * queue_size * maps;
    x += (long long)sound * maps;
    h += (long long)sound * maps;
    skips += (long long)sound * maps;
    before3 += (long long)sound * out_maps;
    logits += (long long)sound * levels;

    for (int t = begin; t < end; ++t) {
        for (int map = thread; map < maps; map += threads) {
            float sum = first_b[map];
            for (int n = 0; n < 2; ++n)
                if (t - 2 + n >= 0) {
                    float level = rintf(samples[t - 2 + n] * (levels - 1));
                    if (level >= 0 && level < levels)
                        sum += first[((long long)n * levels + (int)level) * maps + map];
                }
            x[map] = sum;
            skips[map] = 0;
        }
        __syncthreads();

        float* queue = queues;
        for (int layer = 0; layer < layers; ++layer) {
            int dilation = 1 << layer % in_stack, size = (width - 1) * dilation;
            for (int map = warp; map < maps; map += warps) {
                float sums[2];
                for (int half = 0; half < 2; ++half) {
                    int gate = map + half * maps;
                    const float* W = gates + ((long long)layer * 2 * maps + gate) * width * maps;
                    float sum = gates_b[((long long)layer * sounds + sound) * 2 * maps + gate];
                    for (int tap = 0; tap < width - 1; ++tap)    // the oldest input first
                        sum += dot(W + tap * maps,
                                   queue + (t + tap * dilation) % size * maps, maps);
                    sums[half] = sum + dot(W + (width - 1) * maps, x, maps);
                }
                if (lane == 0)
                    h[map] = tanhf(sums[0]) * (tanhf(sums[1] * 0.5f) * 0.5f + 0.5f);
            }
            __syncthreads();
            for (int row = warp; row < rows; row += warps) {
                float value = output_b[layer * rows + row]
                    + dot(output + ((long long)layer * rows + row) * maps, h, maps);
                if (lane == 0) {
                    if (row < maps) {
                        queue[t % size * maps + row] = x[row];
                        x[row] += value;
                    }
                    if (row >= rows - maps)
                        skips[row - (rows - maps)] += value;
                }
            }
            __syncthreads();
            queue += size * maps;
        }

        // The author's output layers see the output of the last layer, too
        for (int map = thread; map < maps; map += threads)
            h[map] = relu(skips[map] + (rows > maps ? x[map] : 0));
        __syncthreads();
        for (int map = warp; map < out_maps; map += warps) {
            float value = conv2_b[map] + dot(conv2 + map * maps, h, maps);
            if (lane == 0)
                before3[map] = relu(value);
        }
        __syncthreads();
        for (int level = warp; level < levels; level += warps) {
            float value = conv3_b[level] + dot(conv3 + level * out_maps, before3, out_maps);
            if (lane == 0)
                logits[level] = value;
        }
        __syncthreads();
        if (thread == 0 && !given[t])
            samples[t] = draw(logits, levels, uniforms[(long long)t * sounds + sound])
                / (double)(levels - 1);
        __syncthreads();
    }
}
