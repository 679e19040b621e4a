// Generates one row of all images in one launch, see ../drawing.cu, which goes before this file.
//
// It computes the vertical stack of the whole row, which sees the rows above only, and what the
// horizontal stack gets of it; then the horizontal stack, pixel by pixel and colour by colour.
// Weights are multiplied by their mask, so values that are not known yet count 0 times. Block 0 is
// conv1.
// Where maps are doubled, the first half is for the tanh of a gate, the other for its sigmoid.
//
//   first_v     weights of conv1's vertical stack, (2 hidden, places); the places are 4 rows of 7
//               pixels, of all colours
//   first_h     the same for its horizontal stack: the pixel itself and 3 to the left of it
//   vertical    the other blocks: (blocks - 1, 2 hidden, 2 rows, 3 columns, hidden)
//   horizontal  the other blocks: (blocks - 1, 2 hidden, 2 columns, hidden)
//   to_h        from the vertical to the horizontal stack, (blocks, 2 hidden, hidden)
//   output      after the horizontal gates, (blocks, hidden, hidden)
//   conv4       (colors, outputs, out_hidden)
//   ..._b       biases; horizontal_b holds those of to_h, too
//   class_v, …  what the classes add to the gates, (blocks, images, 2 hidden)
//   given       (colors, height, width): whether samples holds the value already
//   uniforms    (width, colors, images)
//   samples     (images, colors, height, width): the kernel reads the rows above, writes this one
//   gated       the vertical stack: (blocks - 1, images, 3, width + 2, hidden), row y at y % 3,
//               with a column of zeros on either side
//   sums        (images, width, 2 hidden): a block's vertical sums, before the gates
//   context     (blocks, images, width, 2 hidden): what the horizontal gates get of all but the row
//   maps        the horizontal stack: (blocks, images, width + 1, hidden), with a column of zeros
//   y, …        arrays of one pixel, (images, ...); y is (blocks, images, hidden)
//
// A block's vertical kernel begins `above` rows above the pixel: 1 in the paper's form, 2 in the
// author's.
//
// Where values are labels, kinds is their number, and first_v and first_h hold a column for each
// label of each place, (places, kinds, 2 hidden). For intensities, kinds is 0.

// What conv1 computes for one of its `maps` outputs. value(place) is the value at a place that it
// sees, in [0, 1], or -1 outside of the image.
template <typename Value>
__device__ float see_values(const float* W, int map, int maps, int places, int kinds, Value value)
{
    float sum = 0;
    for (int place = threadIdx.x % 32; place < places; place += 32) {
        float x = value(place);
        if (!kinds) {
            if (!(x < 0))
                sum += W[map * places + place] * x;
            continue;
        }
        x = rintf(x * (kinds - 1));
        if (x >= 0 && x < kinds)
            sum += W[((long long)place * kinds + (int)x) * maps + map];
    }
    return sum_of_warp(sum);
}

__device__ float gate(float t, float s)
{
    return tanhf(t) * (tanhf(s * 0.5f) * 0.5f + 0.5f);
}

extern "C" __global__ void __launch_bounds__(1024) draw_row(
    int row, int all_given, int height, int width, int colors, int blocks, int hidden,
    int out_hidden, int outputs, int kinds, int above,
    const float* first_v, const float* first_h, const float* vertical, const float* horizontal,
    const float* vertical_b, const float* to_h, const float* horizontal_b,
    const float* output, const float* output_b, const float* conv2, const float* conv2_b,
    const float* conv4, const float* conv4_b, const float* class_v, const float* class_h,
    const unsigned char* given, const double* uniforms, float* samples, float* gated, float* sums,
    float* context, float* maps, float* y, float* last, float* before4, float* logits)
{
    int image = blockIdx.x, images = gridDim.x, lane = threadIdx.x % 32;
    int warp = threadIdx.x / 32, warps = blockDim.x / 32, both = 2 * hidden;
    samples += (long long)image * colors * height * width;
    sums += (long long)image * width * both;
    last += (long long)image * hidden;
    before4 += (long long)image * out_hidden;
    logits += (long long)image * max(outputs, 2);

    auto value_at = [&](int color, int from_row, int from_column) {
        return from_row < 0 || from_column < 0 || from_column >= width
            ? -1.0f : samples[(color * height + from_row) * width + from_column];
    };
    auto rows_of = [&](int block, int of_row) {   // its vertical maps, from the column of zeros on
        long long place = (long long)block * images + image;
        return gated + ((place * 3 + of_row % 3) * (width + 2)) * hidden;
    };

    for (int block = 0; block < blocks; ++block) {
        long long place = (long long)block * images + image;
        for (int item = warp; item < both * width; item += warps) {
            int map = item / width, j = item % width;
            float sum = vertical_b[block * both + map];
            if (block == 0)
                sum += see_values(first_v, map, both, 28 * colors, kinds, [&](int seen) {
                    int pixel = seen / colors;
                    return value_at(seen % colors, row - 4 + pixel / 7, j - 3 + pixel % 7);
                });
            else
                for (int r = 0; r < 2; ++r)
                    if (row - above + r >= 0)
                        sum += dot(
                            vertical + (((long long)(block - 1) * both + map) * 2 + r) * 3 * hidden,
                            rows_of(block - 1, row - above + r) + j * hidden, 3 * hidden);
            if (lane == 0)
                sums[j * both + map] = sum;
        }
        __syncthreads();
        for (int item = warp; item < both * width; item += warps) {
            int map = item / width, j = item % width;
            float sum = dot(to_h + ((long long)block * both + map) * hidden,
                            sums + j * both + (map < hidden ? 0 : hidden), hidden);
            if (lane == 0)
                context[(place * width + j) * both + map] =
                    sum + horizontal_b[block * both + map] + class_h[place * both + map];
        }
        if (block < blocks - 1)
            for (int item = threadIdx.x; item < width * hidden; item += blockDim.x) {
                int j = item / hidden, map = item % hidden;
                const float* add = class_v + place * both;
                rows_of(block, row)[(j + 1) * hidden + map] = gate(
                    sums[j * both + map] + add[map],
                    sums[j * both + hidden + map] + add[hidden + map]);
            }
        __syncthreads();
    }
    if (all_given)                                // the horizontal stack is for this row only
        return;

    for (int j = 0; j < width; ++j)
        for (int k = 0; k < colors; ++k) {
            for (int block = 0; block < blocks; ++block) {
                long long place = (long long)block * images + image;
                const float* around = context + (place * width + j) * both;
                float* after = maps + (place * (width + 1) + j + 1) * hidden;
                const float* before = after - (long long)images * (width + 1) * hidden;
                float* gates = y + place * hidden;
                auto sum = [&](int map) {
                    if (block == 0)
                        return around[map] + see_values(
                            first_h, map, both, 4 * colors, kinds, [&](int seen) {
                                return value_at(seen % colors, row, j - 3 + seen / colors);
                            });
                    return around[map] + dot(
                        horizontal + ((long long)(block - 1) * both + map) * 2 * hidden,
                        before - hidden, 2 * hidden);
                };
                for (int map = k + colors * warp; map < hidden; map += colors * warps) {
                    float t = sum(map), s = sum(hidden + map);
                    if (lane == 0)
                        gates[map] = gate(t, s);
                }
                __syncthreads();
                for (int map = k + colors * warp; map < hidden; map += colors * warps) {
                    float value = output_b[block * hidden + map] + dot(
                        output + ((long long)block * hidden + map) * hidden, gates, hidden);
                    if (lane == 0) {
                        after[map] = value + (block ? before[map] : 0);
                        last[map] = relu(after[map]);
                    }
                }
                __syncthreads();
            }
            for (int map = k + colors * warp; map < out_hidden; map += colors * warps) {
                float value = conv2_b[map] + dot(conv2 + map * hidden, last, hidden);
                if (lane == 0)
                    before4[map] = relu(value);
            }
            __syncthreads();
            for (int level = warp; level < outputs; level += warps) {
                int map = k * outputs + level;
                float value = conv4_b[map] + dot(conv4 + map * out_hidden, before4, out_hidden);
                if (lane == 0)
                    logits[level] = value;
            }
            __syncthreads();
            int value = (k * height + row) * width + j;
            if (threadIdx.x == 0 && !given[value])
                samples[value] = draw(logits, outputs, uniforms[(j * colors + k) * images + image])
                    / (double)(max(outputs, 2) - 1);
            __syncthreads();
        }
}
