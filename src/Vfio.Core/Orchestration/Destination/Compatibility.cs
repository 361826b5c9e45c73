using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Orchestration.Destination;

/// <summary>What can be refused before a device is touched.</summary>
internal static class Compatibility
{
    /// <summary>Checks that the destination's devices can take the places of the source's, one by one in their order.</summary>
    public static void Check(IReadOnlyList<TableEntry> source, IReadOnlyList<DestinationDevice> destination)
    {
        if (source.Count != destination.Count)
        {
            throw new MigrationStepException(
                Errno.EINVAL,
                $"the source moves {source.Count} ({string.Join(", ", source.Select(s => s.Name))}), here is room for {destination.Count}");
        }

        foreach (var (from, to) in source.Zip(destination))
        {
            if (from.Identity.Length > 0 && to.Identity.Length > 0 && from.Identity != to.Identity)
                throw new MigrationStepException(Errno.EINVAL, $"{from.Name} is {Refusal.Plain(from.Identity)}, and {to.Name} is {to.Identity}");
            if ((from.Capabilities & MigrationCapabilities.StopCopy) == 0)
                throw new MigrationStepException(Errno.EBADMSG, $"{from.Name} does not migrate");
            if (from.IsPrecopied && !to.Has(MigrationCapabilities.PreCopy))
            {
                throw new MigrationStepException(
                    Errno.EOPNOTSUPP, $"{from.Name} is read while it runs, which {to.Name} does not know; move it without PRE_COPY");
            }
        }
    }

    /// <summary>Checks what needs no source.</summary>
    public static async Task CheckAsync(
        IReadOnlyList<DestinationDevice> devices, bool areNoPeers, CancellationToken cancellationToken)
    {
        foreach (var device in devices)
        {
            if (!device.Has(MigrationCapabilities.StopCopy))
                throw new MigrationStepException(Errno.EOPNOTSUPP, $"{device.Name} does not migrate");
            if (devices.Count > 1 && !device.Has(MigrationCapabilities.P2P) && !areNoPeers)
                throw MovedDevices.WithoutP2P(device.Name);

            var state = await device.TryGetStateAsync(cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (state is not (MigrationState.Running or MigrationState.Stop))
            {
                throw new MigrationStepException(
                    Errno.EBUSY,
                    $"{new DeviceLeftIn(device.Name, state)}; only one in {MigrationState.Running} or {MigrationState.Stop} is replaced");
            }
        }
    }
}
