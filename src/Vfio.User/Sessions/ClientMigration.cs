namespace Vfio.User.Sessions;

/// <summary>
/// The migration of the device as one client drives it: what the kernel hands out as <c>data_fd</c> is kept here. On the serving thread.
/// </summary>
internal sealed class ClientMigration(IMigrationOps ops, DeviceWait wait)
{
    private const uint LastState = (uint)MigrationState.PreCopyP2P;
    private ulong _initialLeft = ulong.MaxValue;

    public MigrationCapabilities Capabilities => ops.Capabilities;

    /// <summary>The data stream that is being read or written; null where the device is in no state that has one.</summary>
    public MigrationDataStream? Stream { get; private set; }

    /// <summary>Whether the client has asked for the second version of PRE_COPY's information.</summary>
    public bool HasPrecopyInfoV2 { get; private set; }

    public VfioResult<MigrationState> GetState() => wait.For(ops.GetStateAsync(wait.Token));

    public VfioResult SetState(uint state)
    {
        if (state > LastState)
            return Errno.EINVAL;
        var changed = wait.For(ops.SetStateAsync((MigrationState)state, wait.Token));
        if (changed.IsSuccess)
        {
            if (changed.Value is { } begun)
                Replace(begun);
            else
                DropUnlessOf((MigrationState)state);
            return VfioResult.Success;
        }

        // It may have got some way.
        if (Stream is not null && GetState() is { IsSuccess: true } left)
            DropUnlessOf(left.Value);
        return changed.Error;
    }

    public VfioResult<ulong> GetDataSize() => wait.For(ops.GetDataSizeAsync(wait.Token));

    public VfioResult EnablePrecopyInfoV2()
    {
        var enabled = wait.For(ops.EnablePrecopyInfoV2Async(wait.Token));
        HasPrecopyInfoV2 |= enabled.IsSuccess;
        return enabled;
    }

    /// <summary>
    /// What there is still to read, as this client has asked to be told. A device that stays open tells new initial bytes to all clients
    /// once one of them has asked for that; to who has not they are dirty ones, and the count of initial ones only falls.
    /// </summary>
    public VfioResult<PrecopyInfo> GetPrecopyInfo(MigrationDataStream stream)
    {
        var found = wait.For(stream.GetPrecopyInfoAsync(wait.Token));
        if (!found.IsSuccess || HasPrecopyInfoV2)
            return found;
        var info = found.Value;
        _initialLeft = Math.Min(_initialLeft, info.InitialBytes);
        var more = info.InitialBytes - _initialLeft;
        return new PrecopyInfo(_initialLeft, more > ulong.MaxValue - info.DirtyBytes ? ulong.MaxValue : info.DirtyBytes + more);
    }

    /// <summary>Gives the data stream up; the state of the device stays.</summary>
    public void Drop() => Replace(null);

    // A reset leaves the stream where it is: reading on then says ENODEV.
    private void DropUnlessOf(MigrationState state)
    {
        var isOf = state switch
        {
            MigrationState.PreCopy or MigrationState.PreCopyP2P or MigrationState.StopCopy => Stream is { IsSaving: true },
            MigrationState.Resuming => Stream is { IsSaving: false },
            _ => false,
        };
        if (!isOf)
            Drop();
    }

    private void Replace(MigrationDataStream? stream)
    {
        var former = Stream;
        Stream = stream;
        _initialLeft = ulong.MaxValue;
        if (former is not null && former != stream)
            former.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
