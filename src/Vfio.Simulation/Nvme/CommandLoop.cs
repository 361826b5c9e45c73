using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Admin;
using Vfio.Simulation.Nvme.Io;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Queues;
using Vfio.Simulation.Nvme.Transfer;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme;

/// <summary>Fetches commands and executes them, a batch of one queue at a time. Used by the controller's thread alone.</summary>
internal sealed class CommandLoop(NvmeController controller, FunctionDma dma, PrpTransfer transfer, CompletionPath completions)
{
    private const int Batch = 16;
    private readonly SubmissionEntry[] _entries = new SubmissionEntry[Batch];

    /// <summary>Serves a submission queue, never fetching more commands than their completions have room for.</summary>
    /// <returns>Whether there was a command to fetch.</returns>
    internal bool Serve(SubmissionQueue queue)
    {
        var queues = controller.Queues;
        // A command before this one may have deleted the queue.
        if (queues.Submission(queue.Id) != queue || !queues.Look(queue))
            return false;
        queues.Look(queue.Completion);
        var end = queue.Tail > queue.Head ? queue.Tail : queue.Size;
        var count = Math.Min(Math.Min(end - queue.Head, queue.Completion.Room), Batch);
        if (count <= 0)
            return false;
        var entries = _entries.AsSpan(0, count);
        var fetched = dma.Read(queue.Base + ((ulong)queue.Head * SubmissionEntry.Bytes), MemoryMarshal.AsBytes(entries));
        if (!fetched.IsSuccess)
        {
            if (fetched.Error != Errno.ECANCELED)
                controller.FailForHost($"submission queue {queue.Id} cannot be read ({fetched.Error})");
            return false;
        }

        var next = queue.Head + count;
        queue.Head = next == queue.Size ? 0 : next;
        // An abort completes another command besides: not in the slots of those that were fetched with it.
        queue.Completion.Reserved += count;
        foreach (ref readonly var entry in entries)
        {
            Execute(queue, entry);
            queue.Completion.Reserved--;
        }

        completions.Announce();
        return true;
    }

    private void Execute(SubmissionQueue queue, in SubmissionEntry entry)
    {
        CommandResult result;
        if (queue.Id == 0)
        {
            transfer.Begin(entry, controller.PageShift);
            result = controller.Admin.Execute(new AdminCommand(entry, transfer), queued: true);
        }
        else
        {
            // What may take long keeps no interrupt back.
            if (!IoCommands.IsTransfer(entry))
                completions.Announce(now: true);
            result = controller.Io.Execute(entry, controller.PageShift);
        }

        if (!result.Status.IsSuccess && result.Status != NvmeStatus.CompareFailure)
            controller.Errors.Add((ushort)queue.Id, entry.CommandId, result.Status, entry.NamespaceId);
        completions.Complete(queue, entry.CommandId, result);
    }
}
