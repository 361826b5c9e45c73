using System.Diagnostics;

namespace Vfio.Simulation.Driving;

/// <summary>
/// How long a device's thread goes on looking before it sleeps: longer while work keeps coming just after it fell asleep, not at all while
/// it does not.
/// </summary>
/// <remarks>
/// A sleep costs the next command two wake-ups, its sender's message and our own. The rule is the one by which the kernel's KVM polls for a
/// halted processor (virt/kvm/kvm_main.c, halt_poll_ns).
/// </remarks>
internal sealed class PollWindow
{
    private static readonly long Start = Ticks(10), Limit = Ticks(80);
    private long _window;
    private long _since;

    /// <summary>There was work: the window opens anew.</summary>
    internal void Worked() => _since = 0;

    /// <summary>There was no work.</summary>
    /// <returns>Whether to look once more rather than sleep.</returns>
    internal bool Continues()
    {
        if (_window == 0)
            return false;
        var now = Stopwatch.GetTimestamp();
        if (_since == 0)
            _since = now;
        return now - _since < _window;
    }

    /// <summary>The thread has slept.</summary>
    /// <param name="slept">For how long, in ticks of <see cref="Stopwatch"/>.</param>
    internal void Slept(long slept)
    {
        _since = 0;
        // Work that came sooner than the limit would have been found by looking; work that came later would not.
        _window = slept > Limit ? 0 : Math.Min(Math.Max(_window * 2, Start), Limit);
    }

    private static long Ticks(long microseconds) => microseconds * Stopwatch.Frequency / 1_000_000;
}
