using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Admin;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Transfer;

namespace Vfio.Simulation.Nvme;

/// <summary>
/// The primary controller towards the host that owns the PF: admin commands as its driver would issue them, apart from the admin queue that
/// a guest of the PF would see. A command is a 64-byte submission entry whose PRPs are ignored, its completion a 16-byte completion entry.
/// Thread-safe.
/// </summary>
internal sealed class CommandChannel(NvmeController primary, PciAddress address) : IControllingFunction, ICommandChannel
{
    public PciAddress Address => address;

    public TService? Get<TService>()
        where TService : class
        => this as TService;

    public async ValueTask<VfioResult> ExecuteAsync(
        ReadOnlyMemory<byte> command, Memory<byte> data, Memory<byte> completion, CancellationToken cancellationToken)
    {
        if (command.Length != SubmissionEntry.Bytes || completion.Length != CompletionEntry.Bytes)
            return Errno.EINVAL;
        var entry = MemoryMarshal.Read<SubmissionEntry>(command.Span);
        var buffer = new BufferData(data);
        CommandResult result = default;
        await primary.PostAsync(() => result = primary.Admin.Execute(new AdminCommand(entry, buffer), queued: false))
            .WaitAsync(cancellationToken).ConfigureAwait(false);
        if (result.Later is { } later)
            result = await later.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (buffer.Overran)
            return Errno.EINVAL;
        var end = new CompletionEntry
        {
            Dword0 = result.Dword0,
            CommandId = entry.CommandId,
            StatusPhase = (ushort)(result.Status.Value << 1),
        };
        MemoryMarshal.Write(completion.Span, end);
        return VfioResult.Success;
    }
}
