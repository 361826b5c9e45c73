namespace Vfio.Core.Migration;

/// <summary>The user's end of a session that saves.</summary>
internal sealed class SavingStream(SavingSession session) : MigrationDataStream
{
    public override bool IsSaving => true;

    public override ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        => destination.IsEmpty
            ? throw new ArgumentException("A read must ask for bytes.", nameof(destination))
            : session.ReadAsync(destination, cancellationToken);

    public override ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
        => ValueTask.FromResult<VfioResult>(Errno.EBADF);

    public override ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
        => session.GetPrecopyInfoAsync(cancellationToken);

    // Nobody can read any more: what is written from now on would only wait.
    public override ValueTask DisposeAsync()
    {
        session.End();
        return ValueTask.CompletedTask;
    }
}
