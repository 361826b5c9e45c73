using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Transfer;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>An admin command on its way through a handler.</summary>
internal readonly ref struct AdminCommand
{
    private readonly ref readonly SubmissionEntry _entry;

    internal AdminCommand(in SubmissionEntry entry, CommandData data)
    {
        _entry = ref entry;
        Data = data;
    }

    internal ref readonly SubmissionEntry Entry => ref _entry;

    /// <summary>Where the data goes or comes from.</summary>
    internal CommandData Data { get; }
}

/// <summary>Executes an admin command.</summary>
internal delegate CommandResult AdminHandler(in AdminCommand command);

/// <summary>Who may issue a command.</summary>
[Flags]
internal enum AdminScope
{
    /// <summary>Everyone, in every way.</summary>
    Any = 0,

    /// <summary>The primary controller alone has it.</summary>
    Primary = 1,

    /// <summary>It concerns the admin queue itself, so that the controlling function's channel has no use for it.</summary>
    Queue = 2,
}

/// <summary>One admin command of a controller.</summary>
/// <param name="Opcode">Its opcode.</param>
/// <param name="Handler">What executes it.</param>
/// <param name="Scope">Who may issue it.</param>
/// <param name="Effects">Its entry in the log of supported commands.</param>
internal sealed record AdminTableEntry(
    AdminOpcode Opcode, AdminHandler Handler, AdminScope Scope = AdminScope.Any, uint Effects = EffectsLog.Supported);
