using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Queues;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme;

/// <summary>
/// How completions reach the host: now; later, for commands that wait for another controller; or once the function may master the bus
/// again. Used by the controller's thread alone.
/// </summary>
internal sealed class CompletionPath(FunctionDma dma, FunctionInterrupts interrupts, QueueSet queues, Action fail)
{
    private static readonly long LongestDelay = Microseconds(100), BurstGap = Microseconds(20);
    private readonly List<CompletionQueue> _unannounced = [];
    private readonly List<Deferred> _deferred = [];
    private readonly Queue<(CompletionQueue Queue, CompletionEntry Entry)> _held = new();

    /// <summary>Completes a command for which a slot is free.</summary>
    internal void Complete(SubmissionQueue queue, ushort commandId, in CommandResult result)
    {
        if (result.IsOutstanding)
            return;
        if (result.Later is { } later)
        {
            queue.Completion.Reserved++;
            _deferred.Add(new(queue, commandId, later));
            return;
        }

        var entry = new CompletionEntry
        {
            Dword0 = result.Dword0,
            SubmissionHead = (ushort)queue.Head,
            SubmissionId = (ushort)queue.Id,
            CommandId = commandId,
            StatusPhase = (ushort)(result.Status.Value << 1),
        };
        if (_held.Count > 0)
            Hold(queue.Completion, entry);
        else
            Post(queue.Completion, entry);
    }

    /// <summary>Completes a command that no slot was kept for.</summary>
    /// <returns>False: the queue is full now.</returns>
    internal bool TryComplete(SubmissionQueue queue, ushort commandId, in CommandResult result)
    {
        if (queue.Completion.Room <= 0)
            return false;
        Complete(queue, commandId, result);
        return true;
    }

    /// <summary>Completes what waited for another controller.</summary>
    internal bool FinishDeferred()
    {
        var finished = false;
        for (var i = _deferred.Count - 1; i >= 0; i--)
        {
            var (queue, id, later) = _deferred[i];
            if (!later.IsCompleted)
                continue;
            _deferred.RemoveAt(i);
            queue.Completion.Reserved--;
            Complete(queue, id, later.IsCompletedSuccessfully ? later.Result : NvmeStatus.InternalError);
            finished = true;
        }

        return finished;
    }

    /// <summary>Posts what could not be posted while the function was not to master the bus.</summary>
    internal bool Retry()
    {
        var posted = false;
        for (var left = _held.Count; left > 0; left--)
        {
            var (queue, entry) = _held.Dequeue();
            queue.Reserved--;
            // The memory of a queue that was deleted is the host's again.
            if (IsGone(queue))
                continue;
            Post(queue, entry);
            posted = true;
        }

        return posted;
    }

    /// <summary>
    /// Raises the interrupts of the queues that entries were added to. A host that has yet to take what the last interrupt told of will
    /// find the new entries with the old: it is interrupted again only if it leaves some, or takes long.
    /// </summary>
    /// <param name="now">Leaves nothing for later: nobody will look again soon.</param>
    internal void Announce(bool now = false)
    {
        for (var i = _unannounced.Count - 1; i >= 0; i--)
        {
            var queue = _unannounced[i];
            if (IsGone(queue))
            {
                _unannounced.RemoveAt(i);
                continue;
            }

            if (!now && CanWait(queue))
                continue;
            _unannounced.RemoveAt(i);
            queue.Announce();
            interrupts.Signal(queue.Vector);
        }
    }

    internal void Clear()
    {
        _unannounced.Clear();
        _deferred.Clear();
        _held.Clear();
    }

    private void Post(CompletionQueue queue, CompletionEntry entry)
    {
        if (queue.Phase)
            entry.StatusPhase |= CompletionEntry.Phase;
        var error = Write(queue.Base + ((ulong)queue.Tail * CompletionEntry.Bytes), entry);
        if (error == Errno.ECANCELED)
        {
            entry.StatusPhase &= unchecked((ushort)~CompletionEntry.Phase);
            Hold(queue, entry);
            return;
        }

        if (error != Errno.None)
        {
            // A completion queue that cannot be written cannot report it either.
            fail();
            return;
        }

        var listed = queue.Unannounced;
        queue.Advance();
        queue.LastAdded = Stopwatch.GetTimestamp();
        if (listed || !queue.Unannounced)
            return;
        queue.UnannouncedSince = queue.LastAdded;
        _unannounced.Add(queue);
    }

    // Another may have its id, and its doorbell, by now.
    private bool IsGone(CompletionQueue queue) => queues.Completion(queue.Id) != queue;

    private bool CanWait(CompletionQueue queue)
    {
        var now = Stopwatch.GetTimestamp();
        if (now - queue.UnannouncedSince >= LongestDelay)
            return false;
        // More is about to come, and an interrupt would only keep the host from sending it.
        if (queue.IsBusy && now - queue.LastAdded < BurstGap)
            return true;
        if (!queue.HostIsBehind)
            return false;
        queues.Look(queue);
        return queue.HostIsBehind;
    }

    private void Hold(CompletionQueue queue, in CompletionEntry entry)
    {
        queue.Reserved++;
        _held.Enqueue((queue, entry));
    }

    // The host polls the phase: it is written last, when everything that it vouches for is visible.
    private Errno Write(ulong iova, in CompletionEntry entry)
    {
        var bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<CompletionEntry>(in entry));
        if (!dma.TryAcquire(iova, CompletionEntry.Bytes, DmaAccess.Write, out var segment))
            return dma.Write(iova, bytes).Error;
        using (segment)
        {
            var slot = segment.Span;
            bytes[..CompletionEntry.PhaseOffset].CopyTo(slot);
            Volatile.Write(
                ref Unsafe.As<byte, uint>(ref slot[CompletionEntry.PhaseOffset]),
                MemoryMarshal.Read<uint>(bytes[CompletionEntry.PhaseOffset..]));
        }

        return Errno.None;
    }

    private static long Microseconds(long count) => count * Stopwatch.Frequency / 1_000_000;

    private readonly record struct Deferred(SubmissionQueue Queue, ushort CommandId, Task<CommandResult> Later);
}
