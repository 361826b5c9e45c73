using System.Collections.Concurrent;

namespace Vfio.Simulation.Driving;

/// <summary>What other threads want done on a device's thread, between two of its steps. Thread-safe.</summary>
internal sealed class CrankRequests
{
    private readonly ConcurrentQueue<(Action Action, TaskCompletionSource Done)> _requests = new();
    private readonly Lock _running = new();
    private volatile bool _stopped;

    /// <summary>Adds a request.</summary>
    /// <returns>Completes when it has been carried out.</returns>
    internal Task Add(Action action)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Enqueue((action, done));
        // With no thread left that could be in the middle of a step, the caller's will do.
        if (_stopped)
            Run();
        return done.Task;
    }

    /// <summary>Carries out what was asked for.</summary>
    /// <returns>Whether anything was.</returns>
    internal bool Run()
    {
        if (_requests.IsEmpty)
            return false;
        lock (_running)
        {
            while (_requests.TryDequeue(out var request))
            {
                try
                {
                    request.Action();
                    request.Done.SetResult();
                }
                catch (Exception e)
                {
                    request.Done.SetException(e);
                }
            }
        }

        return true;
    }

    /// <summary>The device's thread has ended.</summary>
    internal void Stop()
    {
        _stopped = true;
        Run();
    }
}
