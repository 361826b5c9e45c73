using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Queues;

/// <summary>What was wrong with a doorbell. Source: NVM Express Base Specification 1.4, figure 147.</summary>
internal enum DoorbellFault : byte
{
    /// <summary>It belongs to no queue.</summary>
    Register = 0,

    /// <summary>The value is outside the queue, or passes what the controller has posted.</summary>
    Value = 1,
}

/// <summary>The queues of a controller and their doorbells. Used by the controller's thread alone.</summary>
internal sealed class QueueSet
{
    private readonly DoorbellMemory _doorbells;
    private readonly SubmissionQueue?[] _submission;
    private readonly CompletionQueue?[] _completion;
    private SubmissionQueue[] _active = [];

    /// <param name="doorbells">The doorbell registers.</param>
    /// <param name="shadows">The doorbells in the host's memory.</param>
    /// <param name="pairs">The most I/O queue pairs.</param>
    internal QueueSet(DoorbellMemory doorbells, ShadowDoorbells shadows, int pairs)
    {
        _doorbells = doorbells;
        Shadows = shadows;
        _submission = new SubmissionQueue?[pairs + 1];
        _completion = new CompletionQueue?[pairs + 1];
    }

    internal ShadowDoorbells Shadows { get; }

    /// <summary>Told of doorbells that make no sense.</summary>
    internal Action<DoorbellFault>? Fault { get; set; }

    /// <summary>The submission queues there are, the admin queue first.</summary>
    internal SubmissionQueue[] Active => _active;

    internal bool HasIoQueues
        => _submission.AsSpan(1).ContainsAnyExcept((SubmissionQueue?)null) || _completion.AsSpan(1).ContainsAnyExcept((CompletionQueue?)null);

    internal SubmissionQueue? Submission(int id) => (uint)id < (uint)_submission.Length ? _submission[id] : null;

    internal CompletionQueue? Completion(int id) => (uint)id < (uint)_completion.Length ? _completion[id] : null;

    internal void Add(CompletionQueue queue)
    {
        _completion[queue.Id] = queue;
        Open(queue.Id, BarLayout.CompletionDoorbell(queue.Id));
    }

    internal void Add(SubmissionQueue queue)
    {
        queue.Completion.Users++;
        _submission[queue.Id] = queue;
        Open(queue.Id, BarLayout.SubmissionDoorbell(queue.Id));
        Refresh();
    }

    internal void Remove(SubmissionQueue queue)
    {
        queue.Completion.Users--;
        _submission[queue.Id] = null;
        _doorbells.Close(BarLayout.SubmissionDoorbell(queue.Id));
        Refresh();
    }

    internal void Remove(CompletionQueue queue)
    {
        _completion[queue.Id] = null;
        _doorbells.Close(BarLayout.CompletionDoorbell(queue.Id));
    }

    internal void Clear()
    {
        for (var id = 0; id < _submission.Length; id++)
        {
            _doorbells.Close(BarLayout.SubmissionDoorbell(id));
            _doorbells.Close(BarLayout.CompletionDoorbell(id));
        }

        Array.Clear(_submission);
        Array.Clear(_completion);
        Shadows.TurnOff();
        Refresh();
    }

    /// <summary>Looks at a submission queue's tail.</summary>
    /// <returns>Whether there are entries to fetch.</returns>
    internal bool Look(SubmissionQueue queue)
    {
        if (!TryRead(queue.Id, BarLayout.SubmissionDoorbell(queue.Id), out var tail))
            return queue.Head != queue.Tail;
        if (tail < (uint)queue.Size)
        {
            queue.Tail = (int)tail;
        }
        else if (tail != queue.RefusedTail)
        {
            queue.RefusedTail = tail;
            Fault?.Invoke(DoorbellFault.Value);
        }

        return queue.Head != queue.Tail;
    }

    /// <summary>Looks at a completion queue's head.</summary>
    internal void Look(CompletionQueue queue)
    {
        if (!TryRead(queue.Id, BarLayout.CompletionDoorbell(queue.Id), out var head) || head == (uint)queue.Head)
            return;
        var left = queue.Tail - (long)head;
        if (left < 0)
            left += queue.Size;
        if (head < (uint)queue.Size && left <= queue.Used)
        {
            queue.Head = (int)head;
        }
        else if (head != queue.RefusedHead)
        {
            queue.RefusedHead = head;
            Fault?.Invoke(DoorbellFault.Value);
        }
    }

    /// <summary>Before the controller's thread sleeps: asks the host to ring for what comes next.</summary>
    /// <returns>Whether nothing came in the meantime.</returns>
    internal bool Arm()
    {
        if (!Shadows.IsOn)
            return true;
        foreach (var queue in _active)
        {
            if (queue.Id == 0)
                continue;
            Shadows.TryWriteEvent(BarLayout.SubmissionDoorbell(queue.Id), (uint)queue.Tail);
            // The host's head is of interest only while it holds the queue up; otherwise the index stays behind and the host keeps quiet.
            if (queue.Completion.Room <= 0)
                Shadows.TryWriteEvent(BarLayout.CompletionDoorbell(queue.Completion.Id), (uint)queue.Completion.Head);
        }

        // The host stores its doorbell, then reads the event index: the index must be there before the doorbell is looked at again.
        Interlocked.MemoryBarrier();
        foreach (var queue in _active)
        {
            if (queue.Id == 0)
                continue;
            var tail = queue.Tail;
            var head = queue.Completion.Head;
            Look(queue);
            Look(queue.Completion);
            if (queue.Tail != tail || queue.Completion.Head != head)
                return false;
        }

        return true;
    }

    /// <summary>Whether a completion queue with an unmasked pin interrupt holds entries that the host has not taken.</summary>
    internal bool AnyUnmaskedEntry(uint masked)
    {
        foreach (var queue in _completion)
        {
            if (queue is null || queue.Vector is < 0 or > 31 || ((masked >> queue.Vector) & 1) != 0)
                continue;
            Look(queue);
            if (queue.Used > 0)
                return true;
        }

        return false;
    }

    /// <summary>Reports writes to doorbells of no queue.</summary>
    internal void LookForStrays()
    {
        if (_doorbells.TakeStray() >= 0)
            Fault?.Invoke(DoorbellFault.Register);
    }

    /// <summary>The host's memory takes over from the registers, beginning with what they hold.</summary>
    internal bool TurnOnShadows(ulong doorbells, ulong events)
    {
        Shadows.TurnOn(doorbells, events);
        var written = true;
        for (var id = 1; id < _submission.Length; id++)
        {
            if (_submission[id] is { } submission)
                written &= Start(BarLayout.SubmissionDoorbell(id), (uint)submission.Tail);
            if (_completion[id] is { } completion)
                written &= Start(BarLayout.CompletionDoorbell(id), (uint)completion.Head);
        }

        if (!written)
            Shadows.TurnOff();
        return written;
    }

    private bool Start(int doorbell, uint value) => Shadows.TryWrite(doorbell, value) && Shadows.TryWriteEvent(doorbell, value);

    private void Open(int id, int doorbell)
    {
        _doorbells.Open(doorbell);
        if (Shadows.IsOn && id != 0)
            Start(doorbell, 0);
    }

    private bool TryRead(int id, int doorbell, out uint value)
    {
        if (Shadows.IsOn && id != 0)
            return Shadows.TryRead(doorbell, out value);
        value = _doorbells.Read(doorbell);
        return true;
    }

    private void Refresh() => _active = [.. _submission.OfType<SubmissionQueue>()];
}
