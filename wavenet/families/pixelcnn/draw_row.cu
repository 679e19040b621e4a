// Generates one row of all images in one launch, see ../drawing.cu, which goes before this file.
//
// The kernel does what `cache.py` does, pixel by pixel and colour by colour. Weights are multiplied
// by their mask. Maps are sorted by colour, so a colour sees the first maps of a layer. Shapes:
//
//   W, b        weights (outputs, inputs) of a layer for the pixel itself, and biases (outputs)
//   blocks1, …  the same for the three convolutions of all blocks, (blocks, outputs, inputs) and
//               (blocks, outputs)
//   left        weights of the 3x3 convolutions for the pixel to the left, (blocks, half, half)
//   given       (colors, height, width): whether samples holds the value already
//   uniforms    (width, colors, images)
//   samples     (images, colors, height, width): the kernel reads the rows above, writes this one
//   context     (blocks, images, width, half): what the 3x3 convolutions get of the row above; the
//               kernel adds what they get of the pixel to the left
//   maps        (blocks, images, width + 2, half): what the 3x3 convolutions see of this row, with
//               a column of zeros on either side
//   patch, …    arrays of one pixel, (images, ...)
//
// Where values are labels, kinds is their number, conv1_W holds a column for each label of each
// place that conv1 sees, (places, kinds, outputs), and patch holds labels, -1 outside of the image.
// For intensities, kinds is 0.

// The number of maps of the colours before colour k
__device__ int first(int maps, int colors, int k)
{
    return maps / colors * k + min(maps % colors, k);
}

// A value in [0, 1] as conv1 takes it: of labels, the label
__device__ float patch_value(float value, int kinds)
{
    return kinds ? rintf(value * (kinds - 1)) : value;
}

// Computes the maps `begin` to `end` of W x + b, where only the first `seen` inputs count, and
// calls use(map, value) for each of them.
template <typename Use>
__device__ void layer(const float* W, const float* b, int inputs, int begin, int end,
                      const float* x, int seen, Use use)
{
    for (int map = begin + threadIdx.x / 32; map < end; map += blockDim.x / 32) {
        float value = b[map] + dot(W + map * inputs, x, seen);
        if (threadIdx.x % 32 == 0)
            use(map, value);
    }
    __syncthreads();
}

// The same for conv1 where x are labels, whose columns of weights W are added.
template <typename Use>
__device__ void label_layer(const float* W, const float* b, int outputs, int kinds, int begin,
                            int end, const float* x, int seen, Use use)
{
    for (int map = begin + threadIdx.x / 32; map < end; map += blockDim.x / 32) {
        float sum = 0;
        for (int i = threadIdx.x % 32; i < seen; i += 32)
            if (x[i] >= 0 && x[i] < kinds)
                sum += W[((long long)i * kinds + (int)x[i]) * outputs + map];
        sum = sum_of_warp(sum);
        if (threadIdx.x % 32 == 0)
            use(map, b[map] + sum);
    }
    __syncthreads();
}

extern "C" __global__ void __launch_bounds__(1024) draw_row(
    int row, int height, int width,
    int colors, int blocks, int hidden, int half, int out_hidden, int outputs, int kinds,
    const float* conv1_W, const float* conv1_b, const float* conv2_W, const float* conv2_b,
    const float* conv4_W, const float* conv4_b, const float* left,
    const float* blocks1_W, const float* blocks1_b, const float* blocks2_W, const float* blocks2_b,
    const float* blocks3_W, const float* blocks3_b,
    const unsigned char* given, const double* uniforms, float* samples, float* context, float* maps,
    float* patch, float* h, float* before1, float* before3, float* before4, float* logits)
{
    int image = blockIdx.x, images = gridDim.x, thread = threadIdx.x, threads = blockDim.x;
    int seen_around = 24 * colors;            // 3 rows of 7 values, and 3 values to the left
    samples += (long long)image * colors * height * width;
    patch += (long long)image * (seen_around + colors - 1);
    h += (long long)image * hidden;
    before1 += (long long)image * (blocks + 1) * hidden;
    before3 += (long long)image * blocks * half;
    before4 += (long long)image * out_hidden;
    logits += (long long)image * max(outputs, 2);

    for (int j = 0; j < width; ++j) {
        for (int i = thread; i < seen_around; i += threads) {
            int above = i < 21 * colors, left_i = i - 21 * colors;
            int color = above ? i / 21 : left_i / 3;
            int y = above ? row - 3 + i % 21 / 7 : row;
            int x = j - 3 + (above ? i % 7 : left_i % 3);
            patch[i] = y >= 0 && x >= 0 && x < width
                ? patch_value(samples[(color * height + y) * width + x], kinds) : kinds ? -1 : 0;
        }
        for (int i = thread / 32; i < blocks * half; i += threads / 32) {
            long long place = (long long)(i / half) * images + image;
            const float* left_maps = maps + (place * (width + 2) + j) * half;
            float sum = dot(left + (long long)i * half, left_maps, half);
            if (thread % 32 == 0)
                context[(place * width + j) * half + i % half] += sum;
        }
        __syncthreads();

        for (int k = 0; k < colors; ++k) {
            int hidden_begin = first(hidden, colors, k), hidden_end = first(hidden, colors, k + 1);
            int half_begin = first(half, colors, k), half_end = first(half, colors, k + 1);
            int out_begin = first(out_hidden, colors, k);
            int out_end = first(out_hidden, colors, k + 1);

            auto start = [&](int map, float value) {
                h[map] = value;
                before1[map] = relu(value);
            };
            if (kinds)
                label_layer(conv1_W, conv1_b, hidden, kinds, hidden_begin, hidden_end,
                            patch, seen_around + k, start);
            else
                layer(conv1_W, conv1_b, seen_around + colors - 1, hidden_begin, hidden_end,
                      patch, seen_around + k, start);
            for (int block = 0; block < blocks; ++block) {
                long long place = (long long)block * images + image;
                float* one = before1 + block * hidden;
                float* two = maps + (place * (width + 2) + 1 + j) * half;
                float* three = before3 + block * half;
                const float* around = context + (place * width + j) * half;
                layer(blocks1_W + block * half * hidden, blocks1_b + block * half, hidden,
                      half_begin, half_end, one, hidden_end, [&](int map, float value) {
                          two[map] = relu(value);
                      });
                layer(blocks2_W + block * half * half, blocks2_b + block * half, half,
                      half_begin, half_end, two, half_end, [&](int map, float value) {
                          three[map] = relu(value + around[map]);
                      });
                layer(blocks3_W + block * hidden * half, blocks3_b + block * hidden, half,
                      hidden_begin, hidden_end, three, half_end, [&](int map, float value) {
                          h[map] += value;
                          one[hidden + map] = relu(h[map]);  // for the next block
                      });
            }
            layer(conv2_W, conv2_b, hidden, out_begin, out_end,
                  before1 + blocks * hidden, hidden_end, [&](int map, float value) {
                      before4[map] = relu(value);
                  });
            layer(conv4_W, conv4_b, out_hidden, k * outputs, (k + 1) * outputs,
                  before4, out_end, [&](int map, float value) {
                      logits[map - k * outputs] = value;
                  });
            if (thread == 0) {
                int place = (k * height + row) * width + j;
                float* value = samples + place;
                if (!given[place])
                    *value = draw(logits, outputs, uniforms[(j * colors + k) * images + image])
                        / (double)(max(outputs, 2) - 1);
                if (k < colors - 1)
                    patch[seen_around + k] = patch_value(*value, kinds);
            }
            __syncthreads();
        }
    }
}
