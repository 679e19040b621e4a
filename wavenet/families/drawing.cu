// What the kernels share that generate a row of all images, or a part of all sounds, in one launch.
// Each image or sound has a block of threads, since they do not depend on each other, and in the
// block a warp computes one feature map at a time.

__device__ float relu(float x)
{
    return x < 0 ? 0 : x;  // NaN stays NaN
}

// The sum over the threads of a warp, which all of them get
__device__ float sum_of_warp(float sum)
{
    for (int other = 16; other > 0; other /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, other);
    return sum;
}

// The sum of w[i] * x[i]. The threads of a warp compute it together, and all of them get it.
__device__ float dot(const float* w, const float* x, int n)
{
    float sum = 0;
    for (int i = threadIdx.x % 32; i < n; i += 32)
        sum += w[i] * x[i];
    return sum_of_warp(sum);
}

// Draws a level from the outputs p of the network, which become probabilities, as the Python code
// does. One thread does it. Returns: the level, or the number of levels if there is NaN.
__device__ int draw(float* p, int outputs, double uniform)
{
    int levels = max(outputs, 2);
    if (outputs == 1) {
        p[1] = tanhf(p[0] * 0.5f) * 0.5f + 0.5f;
        p[0] = 1 - p[1];
    } else {
        float largest = p[0], sum = 0;
        for (int level = 1; level < levels; ++level)
            largest = fmaxf(largest, p[level]);
        for (int level = 0; level < levels; ++level)
            sum += p[level] = expf(p[level] - largest);
        for (int level = 0; level < levels; ++level)
            p[level] /= sum;
    }
    double total = 0, cumulative = 0;
    for (int level = 0; level < levels; ++level)
        total += p[level];
    for (int level = 0; level < levels; ++level)
        if ((cumulative += p[level]) / total > uniform)
            return level;
    return levels;
}
