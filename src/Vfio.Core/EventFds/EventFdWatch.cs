using Microsoft.Extensions.Logging;

namespace Vfio.Core.EventFds;

/// <summary>What is done when an eventfd is signalled, until the watch is removed.</summary>
/// <param name="source">The eventfd.</param>
/// <param name="signalled">
/// Is told what the counter held. It runs on the thread that serves every device of the process, so it must wait for nothing.
/// </param>
/// <param name="logger">Where it is told what that threw: the thread goes on for the others.</param>
internal sealed class EventFdWatch(WatchedEventFd source, Action<ulong> signalled, ILogger logger)
{
    private readonly object _state = new();
    private Thread? _runner;
    private bool _isOver;

    public WatchedEventFd Source { get; } = source;

    /// <summary>Tells; no lock is held meanwhile.</summary>
    public void Run(ulong count)
    {
        lock (_state)
        {
            if (_isOver)
                return;
            _runner = Thread.CurrentThread;
        }

        try
        {
            signalled(count);
        }
        catch (Exception fault)
        {
            logger.LogError(fault, "An eventfd was signalled, and what its device does then failed");
        }
        finally
        {
            lock (_state)
            {
                _runner = null;
                if (_isOver)
                    Monitor.PulseAll(_state);
            }
        }
    }

    /// <summary>It is not told any more once this has returned, unless it is the one that calls.</summary>
    public void End()
    {
        lock (_state)
        {
            _isOver = true;
            while (_runner is not null && _runner != Thread.CurrentThread)
                Monitor.Wait(_state);
        }
    }
}
