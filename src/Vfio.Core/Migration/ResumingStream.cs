namespace Vfio.Core.Migration;

/// <summary>The user's end of a session that resumes. Giving it up ends nothing: the arc to STOP is still to come.</summary>
internal sealed class ResumingStream(ResumingSession session) : MigrationDataStream
{
    public override bool IsSaving => false;

    public override ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        => ValueTask.FromResult<VfioResult<int>>(Errno.EBADF);

    public override ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
        => session.WriteAsync(source, cancellationToken);

    public override ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
        => ValueTask.FromResult<VfioResult<PrecopyInfo>>(Errno.ENOTTY);

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
