using System.Diagnostics;

namespace Vfio.Simulation.Driving;

/// <summary>Event mode: a thread of a device's own, that sleeps until it is woken.</summary>
internal sealed class CrankThread : IDisposable
{
    private readonly WakeEvent _wake = new();
    private readonly PollWindow _window = new();
    private readonly ICrank _crank;
    private readonly Thread _thread;
    private volatile bool _stop;

    internal CrankThread(ICrank crank, string name)
    {
        _crank = crank;
        crank.WakeDriver = _wake.Wake;
        _thread = new(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Ends the thread, once it is past its step.</summary>
    public void Dispose()
    {
        _stop = true;
        _wake.Wake();
        _thread.Join();
        _wake.Dispose();
        _crank.Stopped();
    }

    private void Run()
    {
        while (!_stop)
        {
            // Reset before looking: what comes after the look sets it again.
            _wake.Reset();
            if (_crank.Turn())
            {
                _window.Worked();
                continue;
            }

            if (_window.Continues())
            {
                // Whoever is to produce the next command may be waiting for this very CPU.
                Thread.Yield();
                continue;
            }

            if (!_crank.TryArm() || _stop)
                continue;
            var asleep = Stopwatch.GetTimestamp();
            _wake.Wait();
            _window.Slept(Stopwatch.GetTimestamp() - asleep);
        }
    }
}

/// <summary>A step that costs no one but its own device.</summary>
internal static class CrankTurn
{
    internal static bool Turn(this ICrank crank)
    {
        try
        {
            return crank.Poll();
        }
        catch (Exception e)
        {
            crank.Fault(e);
            return false;
        }
    }

    internal static bool TryArm(this ICrank crank)
    {
        try
        {
            return crank.Arm();
        }
        catch (Exception e)
        {
            crank.Fault(e);
            return false;
        }
    }
}
