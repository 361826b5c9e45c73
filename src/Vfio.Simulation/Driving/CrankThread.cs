namespace Vfio.Simulation.Driving;

/// <summary>Event mode: a thread of a device's own, that sleeps until it is woken.</summary>
internal sealed class CrankThread : IDisposable
{
    // Spinning would take the time of whoever is to produce the next doorbell.
    private readonly ManualResetEventSlim _wake = new(false, spinCount: 0);
    private readonly ICrank _crank;
    private readonly Thread _thread;
    private volatile bool _stop;

    internal CrankThread(ICrank crank, string name)
    {
        _crank = crank;
        crank.WakeDriver = _wake.Set;
        _thread = new(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Ends the thread, once it is past its step.</summary>
    public void Dispose()
    {
        _stop = true;
        _wake.Set();
        _thread.Join();
        _crank.Stopped();
    }

    private void Run()
    {
        while (!_stop)
        {
            // Reset before looking: what comes after the look sets it again.
            _wake.Reset();
            if (_crank.Turn() || !_crank.Arm())
                continue;
            if (!_stop)
                _wake.Wait();
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
}
