namespace Vfio.Hosting.Devices;

/// <summary>The migration of a device that has the states itself, behind its guard.</summary>
internal sealed class GuardedMigrationOps(GuardedDevice device, IMigrationOps inner) : IMigrationOps
{
    public IMigrationOps Inner => inner;

    public MigrationCapabilities Capabilities
    {
        get
        {
            try
            {
                return inner.Capabilities;
            }
            catch (Exception e)
            {
                device.Threw("MigrationOps.Capabilities", e);
                return MigrationCapabilities.None;
            }
        }
    }

    public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken)
        => device.GuardAsync(nameof(GetStateAsync), inner.GetStateAsync, cancellationToken);

    public async ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
    {
        var result = await device.GuardAsync(nameof(SetStateAsync), token => inner.SetStateAsync(state, token), cancellationToken)
            .ConfigureAwait(false);
        return result is { IsSuccess: true, Value: { } stream } ? new GuardedDataStream(device, stream) : result;
    }

    public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken)
        => device.GuardAsync(nameof(GetDataSizeAsync), inner.GetDataSizeAsync, cancellationToken);

    public async ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken)
        => await device.GuardAsync<bool>(
            nameof(EnablePrecopyInfoV2Async),
            async token => (await inner.EnablePrecopyInfoV2Async(token).ConfigureAwait(false)).Error,
            cancellationToken).ConfigureAwait(false);
}

/// <summary>The data stream of such a device.</summary>
internal sealed class GuardedDataStream(GuardedDevice device, MigrationDataStream inner) : MigrationDataStream
{
    public override bool IsSaving { get; } = inner.IsSaving;

    public override ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        => device.GuardAsync(
            "a data stream's ReadAsync",
            async token =>
            {
                var result = await inner.ReadAsync(destination, token).ConfigureAwait(false);
                return (uint)result.Value <= (uint)destination.Length
                    ? result
                    : device.Break($"a data stream's ReadAsync of {destination.Length} bytes answered {result.Value}");
            },
            cancellationToken);

    public override async ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
        => await device.GuardAsync<bool>(
            "a data stream's WriteAsync",
            async token => (await inner.WriteAsync(source, token).ConfigureAwait(false)).Error,
            cancellationToken).ConfigureAwait(false);

    public override ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
        => device.GuardAsync("a data stream's GetPrecopyInfoAsync", inner.GetPrecopyInfoAsync, cancellationToken);

    public override async ValueTask DisposeAsync()
    {
        try
        {
            await inner.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            device.Threw("a data stream's DisposeAsync", e);
        }
    }
}
