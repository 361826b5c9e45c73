using Vfio.User.Client.Devices;
using Vfio.User.Wire;

namespace Vfio.User.Client.Migration;

/// <summary>The server's migration: it has the state machine, and this asks for its states. Thread-safe.</summary>
/// <param name="session">The device while it is open.</param>
/// <param name="capabilities">What it can do.</param>
#pragma warning disable CA1001 // Of a semaphore only its wait handle is to be disposed of, and nobody asks for that.
internal sealed class WireMigration(Func<DeviceSession?> session, MigrationCapabilities capabilities) : IMigrationOps
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _changing = new(1, 1);

    public MigrationCapabilities Capabilities => capabilities;

    /// <summary>What the server's device can do; none where the server does not know the feature.</summary>
    public static async ValueTask<MigrationCapabilities> ProbeAsync(VfioUserClient client, CancellationToken cancellationToken)
    {
        var flags = await FeatureCalls.CarryAsync(client, FeatureId.Migration, FeatureOperation.Get, 0ul, cancellationToken)
            .ConfigureAwait(false);
        return flags.IsSuccess ? (MigrationCapabilities)flags.Value : MigrationCapabilities.None;
    }

    /// <summary>Has a device run that its last client has left in another state; some servers refuse all else before.</summary>
    public static async ValueTask<VfioResult> RunAsync(VfioUserClient client, CancellationToken cancellationToken)
    {
        var state = await AskAsync(client, cancellationToken).ConfigureAwait(false);
        if (!state.IsSuccess)
            return state.Error;

        // Out of ERROR leads nothing but the reset that is to come.
        return state.Value is MigrationState.Running or MigrationState.Error
            ? VfioResult.Success : await TellAsync(client, MigrationState.Running, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The state that the server's device is in.</summary>
    public static async ValueTask<VfioResult<MigrationState>> AskAsync(VfioUserClient client, CancellationToken cancellationToken)
    {
        var state = await FeatureCalls.CarryAsync(
            client, FeatureId.MigrationDeviceState, FeatureOperation.Get, default(MigrationDeviceStateStructure), cancellationToken)
            .ConfigureAwait(false);
        return !state.IsSuccess ? state.Error
            : state.Value.State <= (uint)MigrationState.PreCopyP2P ? (MigrationState)state.Value.State
            : client.Refuse($"is in the migration state {state.Value.State}");
    }

    public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken)
        => session() is { } open ? AskAsync(open.Client, cancellationToken) : new(Errno.ENODEV);

    public async ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
    {
        if (session() is not { } open)
            return Errno.ENODEV;
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // The answer does not tell whether a stream begins: that follows from where the way starts.
            var before = await AskAsync(open.Client, cancellationToken).ConfigureAwait(false);
            if (!before.IsSuccess)
                return before.Error;
            var told = await TellAsync(open.Client, state, cancellationToken).ConfigureAwait(false);
            if (!told.IsSuccess)
            {
                var left = await AskAsync(open.Client, cancellationToken).ConfigureAwait(false);
                if (left.IsSuccess)
                    Follow(open, left.Value);

                // A server whose time for an answer was over has made the change all the same, and answers in order.
                if (told.Error != Errno.ETIMEDOUT || !left.IsSuccess || left.Value != state)
                    return told.Error;
            }

            Follow(open, state);
            if (!BeginsStream(before.Value, state))
                return new VfioResult<MigrationDataStream?>((MigrationDataStream?)null);
            if (open.Stream is { } former)
                await former.DisposeAsync().ConfigureAwait(false);
            open.Stream = new WireDataStream(open.Client, state);
            return new VfioResult<MigrationDataStream?>(open.Stream);
        }
        finally
        {
            _changing.Release();
        }
    }

    public async ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken)
        => session() is { } open
            ? await FeatureCalls.CarryAsync(open.Client, FeatureId.MigrationDataSize, FeatureOperation.Get, 0ul, cancellationToken)
                .ConfigureAwait(false)
            : Errno.ENODEV;

    public async ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken)
        => session() is { } open
            ? await FeatureCalls.CarryAsync(open.Client, FeatureId.MigrationPrecopyInfoV2, FeatureOperation.Set, cancellationToken)
                .ConfigureAwait(false)
            : Errno.ENODEV;

    internal static bool IsSaving(MigrationState state)
        => state is MigrationState.StopCopy or MigrationState.PreCopy or MigrationState.PreCopyP2P;

    /// <summary>Whether the last arc from one state to another begins a data stream: PRE_COPY and STOP_COPY go on with each other's.</summary>
    internal static bool BeginsStream(MigrationState from, MigrationState to)
        => from != to && (to == MigrationState.Resuming
            || (to == MigrationState.StopCopy && from is not (MigrationState.PreCopy or MigrationState.PreCopyP2P))
            || (to is MigrationState.PreCopy or MigrationState.PreCopyP2P && !IsSaving(from)));

    private static async ValueTask<VfioResult> TellAsync(VfioUserClient client, MigrationState state, CancellationToken cancellationToken)
    {
        const int NoDescriptor = -1;
        var told = await FeatureCalls.CarryAsync(
            client, FeatureId.MigrationDeviceState, FeatureOperation.Set,
            new MigrationDeviceStateStructure { State = (uint)state, DataDescriptor = NoDescriptor }, cancellationToken)
            .ConfigureAwait(false);
        return told.Error;
    }

    private static void Follow(DeviceSession open, MigrationState state)
    {
        if (open.Stream is not { } stream)
            return;
        if (stream.IsSaving ? IsSaving(state) : state == MigrationState.Resuming)
            stream.State = state;
        else
            stream.End();
    }
}
