using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>
/// Asynchronous event requests and the events that complete them. After an event its type is masked until the host has read the log page
/// that goes with it. Used by the controller's thread alone. Source: NVM Express Base Specification 1.4, 5.2.
/// </summary>
internal sealed class AsyncEvents(Func<ushort, CommandResult, bool> complete)
{
    private const int MaxPending = 16;
    private readonly List<Event> _pending = new(MaxPending);
    private readonly Queue<ushort> _requests = new(ControllerLimits.AsyncEventRequests);
    private uint _masked;

    internal CommandResult Request(in AdminCommand command)
    {
        if (_requests.Count == ControllerLimits.AsyncEventRequests)
            return NvmeStatus.AsyncEventLimitExceeded;
        _requests.Enqueue(command.Entry.CommandId);
        return CommandResult.Outstanding;
    }

    /// <summary>Something happened; an event of the same kind that waits already says enough.</summary>
    internal void Raise(AsyncEventType type, byte info, LogPage page)
    {
        var raised = new Event(type, info, page);
        if (_pending.Count < MaxPending && !_pending.Contains(raised))
            _pending.Add(raised);
    }

    /// <summary>Completes requests with what waits.</summary>
    /// <returns>Whether any was completed.</returns>
    internal bool Deliver()
    {
        var delivered = false;
        for (var i = 0; i < _pending.Count && _requests.Count > 0;)
        {
            var next = _pending[i];
            var bit = 1u << (int)next.Type;
            if ((_masked & bit) != 0)
            {
                i++;
                continue;
            }

            var dword0 = (uint)next.Type | ((uint)next.Info << 8) | ((uint)next.Page << 16);
            if (!complete(_requests.Peek(), new(NvmeStatus.Success, dword0)))
                break;
            _requests.Dequeue();
            _pending.RemoveAt(i);
            _masked |= bit;
            delivered = true;
        }

        return delivered;
    }

    /// <summary>The host has read a log page and does not want its events kept back.</summary>
    internal void Acknowledge(LogPage page)
    {
        AsyncEventType? type = page switch
        {
            LogPage.ErrorInformation => AsyncEventType.Error,
            LogPage.Health => AsyncEventType.Health,
            LogPage.ChangedNamespaces => AsyncEventType.Notice,
            _ => null,
        };
        if (type is { } known)
            _masked &= ~(1u << (int)known);
    }

    /// <summary>Ends an outstanding request.</summary>
    internal bool Abort(ushort commandId)
    {
        for (var i = _requests.Count; i > 0; i--)
        {
            var id = _requests.Dequeue();
            if (id == commandId && complete(id, NvmeStatus.AbortRequested))
                return true;
            _requests.Enqueue(id);
        }

        return false;
    }

    internal void Reset()
    {
        _pending.Clear();
        _requests.Clear();
        _masked = 0;
    }

    private readonly record struct Event(AsyncEventType Type, byte Info, LogPage Page);
}
