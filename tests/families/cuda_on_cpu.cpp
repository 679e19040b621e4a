// Runs a CUDA kernel on a CPU, to test its logic without a GPU. Each thread of a block is a fiber, and
// fibers take turns wherever CUDA's threads wait for each other. KERNEL_FILE is the source of the
// kernel, and KERNEL_CALL calls it with the arguments args[0], args[1], ….
#include <ucontext.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

using std::max;
using std::min;
#define __device__
#define __global__
#define __launch_bounds__(threads)

struct Index { int x; };
struct Barrier { int waiting = 0, passed = 0; };

static Index threadIdx, blockIdx, blockDim, gridDim;
static ucontext_t scheduler;
static std::vector<ucontext_t> fibers;
static std::vector<float> lanes;            // the value that each thread offers to its warp
static std::vector<Barrier> warps;
static Barrier block;
static void** arguments;
static int running;

static void wait(Barrier& barrier, int count)
{
    int passed = barrier.passed;
    if (++barrier.waiting == count) {
        barrier.waiting = 0;
        ++barrier.passed;
    }
    while (barrier.passed == passed)
        swapcontext(&fibers[threadIdx.x], &scheduler);
}

static void __syncthreads()
{
    wait(block, blockDim.x);
}

static float __shfl_xor_sync(unsigned, float value, int other)
{
    int thread = threadIdx.x;
    lanes[thread] = value;
    wait(warps[thread / 32], 32);
    float result = lanes[thread ^ other];
    wait(warps[thread / 32], 32);
    return result;
}

#include KERNEL_FILE

static void fiber()
{
    void** args = arguments;
    KERNEL_CALL;
    --running;
}

extern "C" void launch(int blocks, int threads, void** args)
{
    const size_t stack_size = 1 << 16;
    std::vector<char> stacks(stack_size * threads);
    arguments = args;
    gridDim.x = blocks;
    blockDim.x = threads;
    lanes.assign(threads, 0);
    warps.assign(threads / 32, Barrier());
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
        fibers.assign(threads, ucontext_t());
        for (int thread = 0; thread < threads; ++thread) {
            getcontext(&fibers[thread]);
            fibers[thread].uc_stack.ss_sp = &stacks[stack_size * thread];
            fibers[thread].uc_stack.ss_size = stack_size;
            fibers[thread].uc_link = &scheduler;
            makecontext(&fibers[thread], fiber, 0);
        }
        running = threads;
        std::vector<bool> done(threads);
        while (running)
            for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
                if (!done[threadIdx.x]) {
                    int before = running;
                    swapcontext(&scheduler, &fibers[threadIdx.x]);
                    done[threadIdx.x] = running < before;
                }
    }
}
