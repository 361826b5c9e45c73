namespace Vfio.Core.Orchestration;

/// <summary>Something on the way failed; whoever runs the migration clears up and says so.</summary>
internal sealed class MigrationStepException(Errno error, string message, Exception? inner = null) : Exception(message, inner)
{
    public Errno Error { get; } = error;

    /// <summary>What any failure is for those who are told of it.</summary>
    public static MigrationStepException From(Exception e) => e switch
    {
        MigrationStepException step => step,
        VfioException vfio => new(vfio.Error, vfio.Message, vfio),
        OperationCanceledException => new(Errno.ETIMEDOUT, "it was given up", e),
        IOException when Enum.IsDefined((Errno)e.HResult) && e.HResult > 0 => new((Errno)e.HResult, e.Message, e),
        IOException => new(Errno.EPIPE, $"the connection failed: {e.Message}", e),
        _ => new(Errno.EIO, e.Message, e),
    };
}
