using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Queues;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>Commands that make, remove and concern queues. Source: NVM Express Base Specification 1.4, 5.1 and 5.3 to 5.7.</summary>
internal sealed class QueueCommands(NvmeController controller)
{
    private const uint PhysicallyContiguous = 1;
    private const uint InterruptsEnabled = 1 << 1;

    private QueueSet Queues => controller.Queues;

    internal CommandResult CreateCompletion(in AdminCommand command)
    {
        var entry = command.Entry;
        var id = (int)(entry.Cdw10 & 0xFFFF);
        var vector = (int)(entry.Cdw11 >> 16);
        var status = Check(entry, id, controller.Features.CompletionQueues, Queues.Completion(id) is not null);
        if (!status.IsSuccess)
            return status;
        // The vector is checked even if the queue raises none: a host that gives a bad one is mistaken about the table.
        if (vector >= Math.Max(controller.Interrupts.TableSize, 1))
            return NvmeStatus.InvalidInterruptVector;
        Queues.Add(new CompletionQueue
        {
            Id = id,
            Base = entry.Prp1,
            Size = (int)(entry.Cdw10 >> 16) + 1,
            Vector = (entry.Cdw11 & InterruptsEnabled) != 0 ? vector : -1,
        });
        return NvmeStatus.Success;
    }

    internal CommandResult CreateSubmission(in AdminCommand command)
    {
        var entry = command.Entry;
        var id = (int)(entry.Cdw10 & 0xFFFF);
        var completion = (int)(entry.Cdw11 >> 16);
        if (completion == 0 || completion > controller.Features.CompletionQueues)
            return NvmeStatus.InvalidQueueIdentifier;
        if (Queues.Completion(completion) is not { } target)
            return NvmeStatus.CompletionQueueInvalid;
        var status = Check(entry, id, controller.Features.SubmissionQueues, Queues.Submission(id) is not null);
        if (!status.IsSuccess)
            return status;
        Queues.Add(new SubmissionQueue { Id = id, Base = entry.Prp1, Size = (int)(entry.Cdw10 >> 16) + 1, Completion = target });
        return NvmeStatus.Success;
    }

    internal CommandResult DeleteSubmission(in AdminCommand command)
    {
        var id = (int)(command.Entry.Cdw10 & 0xFFFF);
        if (id == 0 || Queues.Submission(id) is not { } queue)
            return NvmeStatus.InvalidQueueIdentifier;
        // Whatever was fetched from it has been completed: commands of I/O queues end before the next step.
        Queues.Remove(queue);
        return NvmeStatus.Success;
    }

    internal CommandResult DeleteCompletion(in AdminCommand command)
    {
        var id = (int)(command.Entry.Cdw10 & 0xFFFF);
        if (id == 0 || Queues.Completion(id) is not { } queue)
            return NvmeStatus.InvalidQueueIdentifier;
        if (queue.Users > 0)
            return NvmeStatus.InvalidQueueDeletion;
        Queues.Remove(queue);
        return NvmeStatus.Success;
    }

    /// <summary>
    /// Only event requests are ever found outstanding: every other command has ended by the time that an abort of it is looked at.
    /// </summary>
    internal CommandResult Abort(in AdminCommand command)
    {
        const uint NotAborted = 1;
        var queue = (int)(command.Entry.Cdw10 & 0xFFFF);
        if (Queues.Submission(queue) is null)
            return NvmeStatus.InvalidField;
        var aborted = queue == 0 && controller.Events.Abort((ushort)(command.Entry.Cdw10 >> 16));
        return new(NvmeStatus.Success, aborted ? 0 : NotAborted);
    }

    internal CommandResult ConfigureDoorbellBuffer(in AdminCommand command)
    {
        var page = (1ul << controller.PageShift) - 1;
        var entry = command.Entry;
        if (((entry.Prp1 | entry.Prp2) & page) != 0 || entry.Prp1 == 0 || entry.Prp2 == 0)
            return NvmeStatus.InvalidField;
        return Queues.TurnOnShadows(entry.Prp1, entry.Prp2) ? NvmeStatus.Success : NvmeStatus.DataTransferError;
    }

    private NvmeStatus Check(in SubmissionEntry entry, int id, int limit, bool exists)
    {
        if (id == 0 || id > limit || exists)
            return NvmeStatus.InvalidQueueIdentifier;
        var size = (entry.Cdw10 >> 16) + 1;
        if (size is < 2 or > ControllerLimits.QueueEntries)
            return NvmeStatus.InvalidQueueSize;
        // CAP.CQR: queues are contiguous.
        if ((entry.Cdw11 & PhysicallyContiguous) == 0)
            return NvmeStatus.InvalidField;
        return (entry.Prp1 & ((1ul << controller.PageShift) - 1)) != 0 ? NvmeStatus.InvalidPrpOffset : NvmeStatus.Success;
    }
}
