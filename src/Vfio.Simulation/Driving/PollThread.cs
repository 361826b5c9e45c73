using Vfio.Native;

namespace Vfio.Simulation.Driving;

/// <summary>
/// Poll mode: one thread that owns a CPU and turns every crank without ever sleeping. A slow step of one device holds up the others.
/// </summary>
internal sealed class PollThread : IDisposable
{
    private readonly ICrank[] _cranks;
    private readonly Thread _thread;
    private readonly int _cpu;
    private volatile bool _stop;

    /// <param name="cpu">The CPU.</param>
    /// <param name="cranks">The devices.</param>
    /// <exception cref="VfioException">The process may not use the CPU.</exception>
    internal PollThread(int cpu, IReadOnlyList<ICrank> cranks)
    {
        _cpu = cpu;
        _cranks = [.. cranks];
        var started = new TaskCompletionSource();
        _thread = new(() => Run(started)) { IsBackground = true, Name = $"poll CPU {cpu}" };
        _thread.Start();
        started.Task.GetAwaiter().GetResult();
    }

    /// <summary>Ends the thread, once it is past its step.</summary>
    public void Dispose()
    {
        _stop = true;
        _thread.Join();
        foreach (var crank in _cranks)
            crank.Stopped();
    }

    private void Run(TaskCompletionSource started)
    {
        if (Pin(_cpu))
            started.SetResult();
        else
            started.SetException(VfioException.FromLibc($"pinning a thread to CPU {_cpu}"));
        while (!_stop && started.Task.IsCompletedSuccessfully)
        {
            var worked = false;
            foreach (var crank in _cranks)
                worked |= crank.Turn();
            if (!worked)
                Thread.SpinWait(1);
        }
    }

    private static unsafe bool Pin(int cpu)
    {
        const int BitsPerWord = 64;
        const int Words = 1024 / BitsPerWord;
        if ((uint)cpu >= Words * BitsPerWord)
            return false;
        var mask = stackalloc ulong[Words];
        mask[cpu / BitsPerWord] = 1ul << (cpu % BitsPerWord);
        // Thread id 0 is the calling thread.
        return Libc.sched_setaffinity(0, Words * sizeof(ulong), mask) == 0;
    }
}
