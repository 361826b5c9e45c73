using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>The admin commands of a controller: a table, and the way into it. Used by the controller's thread alone.</summary>
internal sealed class AdminCommands
{
    private readonly AdminTableEntry?[] _table = new AdminTableEntry?[256];
    private readonly bool _isPrimary;

    internal AdminCommands(NvmeController controller)
    {
        _isPrimary = controller.IsPrimary;
        var queues = new QueueCommands(controller);
        var identify = new IdentifyCommand(controller);
        var logs = new LogPages(controller, this);
        var features = controller.Features;
        var virtualization = new VirtualizationManagement(controller.Subsystem);
        AdminTableEntry[] entries =
        [
            new(AdminOpcode.DeleteSubmissionQueue, queues.DeleteSubmission, AdminScope.Queue),
            new(AdminOpcode.CreateSubmissionQueue, queues.CreateSubmission, AdminScope.Queue),
            new(AdminOpcode.GetLogPage, logs.Get),
            new(AdminOpcode.DeleteCompletionQueue, queues.DeleteCompletion, AdminScope.Queue),
            new(AdminOpcode.CreateCompletionQueue, queues.CreateCompletion, AdminScope.Queue),
            new(AdminOpcode.Identify, identify.Execute),
            new(AdminOpcode.Abort, queues.Abort, AdminScope.Queue),
            new(AdminOpcode.SetFeatures, features.Set),
            new(AdminOpcode.GetFeatures, features.Get),
            new(AdminOpcode.AsyncEventRequest, controller.Events.Request, AdminScope.Queue),
            new(
                AdminOpcode.VirtualizationManagement, virtualization.Execute, AdminScope.Primary,
                EffectsLog.Supported | EffectsLog.CapabilityChange),
            new(AdminOpcode.DoorbellBufferConfig, queues.ConfigureDoorbellBuffer, AdminScope.Queue),
        ];
        foreach (var entry in entries)
        {
            if (_isPrimary || (entry.Scope & AdminScope.Primary) == 0)
                _table[(byte)entry.Opcode] = entry;
        }
    }

    /// <summary>The effects of an opcode; 0 for one that is not supported.</summary>
    internal uint Effects(byte opcode) => _table[opcode]?.Effects ?? 0;

    /// <summary>Executes a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="queued">Whether it came by the admin queue, and not by the controlling function's channel.</param>
    internal CommandResult Execute(in AdminCommand command, bool queued)
    {
        if (command.Entry.HasUnsupportedFlags)
            return NvmeStatus.InvalidField;
        var entry = _table[command.Entry.Opcode];
        if (entry is null || (!queued && (entry.Scope & AdminScope.Queue) != 0))
            return NvmeStatus.InvalidOpcode;
        return entry.Handler(command);
    }
}
