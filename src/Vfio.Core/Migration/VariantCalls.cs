using System.IO.Pipelines;
using Microsoft.Extensions.Logging;

namespace Vfio.Core.Migration;

/// <summary>A variant's migration, called so that what it throws is EIO and a line in the log, and never reaches the caller.</summary>
internal sealed partial class VariantCalls(IMigration migration, ILogger logger)
{
    private readonly ILogger _logger = logger;

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
        => CallAsync(
            nameof(IMigration.StepAsync),
            (migration, arc, session),
            static (c, token) => c.migration.StepAsync(c.arc, c.session, token),
            cancellationToken);

    /// <summary>A save, and the flush that it may have left out at its end.</summary>
    public ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, PipeWriter writer)
        => CallAsync(
            nameof(IMigration.SaveAsync),
            (migration, session, phase, writer),
            static async (c, token) =>
            {
                var result = await c.migration.SaveAsync(c.session, c.phase, token).ConfigureAwait(false);
                if (result.IsSuccess && c.writer.UnflushedBytes > 0)
                    await c.writer.FlushAsync(token).ConfigureAwait(false);
                return result;
            },
            session.Ended);

    public ValueTask<VfioResult> LoadAsync(MigrationSession session)
        => CallAsync(
            nameof(IMigration.LoadAsync),
            (migration, session),
            static (c, token) => c.migration.LoadAsync(c.session, token),
            session.Ended);

    public VfioResult<PrecopyInfo> PrecopyInfo
    {
        get
        {
            try
            {
                return migration.PrecopyInfo;
            }
            catch (Exception e)
            {
                LogThrown(e, nameof(IMigration.PrecopyInfo));
                return Errno.EIO;
            }
        }
    }

    public VfioResult<ulong> StopCopySize
    {
        get
        {
            try
            {
                return migration.StopCopySize;
            }
            catch (Exception e)
            {
                LogThrown(e, nameof(IMigration.StopCopySize));
                return Errno.EIO;
            }
        }
    }

    public void OnReset()
    {
        try
        {
            migration.OnReset();
        }
        catch (Exception e)
        {
            LogThrown(e, nameof(IMigration.OnReset));
        }
    }

    /// <summary>Cancels without running the callbacks, which may be the variant's, on the caller's thread.</summary>
    public void Cancel(CancellationTokenSource source)
    {
        var callbacks = source.CancelAsync();
        if (!callbacks.IsCompletedSuccessfully)
            _ = ObserveAsync(callbacks);
    }

    private async Task ObserveAsync(Task callbacks)
    {
        await callbacks.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (callbacks.Exception is { } e)
            LogThrown(e, "a callback of a cancellation");
    }

    private async ValueTask<VfioResult> CallAsync<T>(
        string member, T call, Func<T, CancellationToken, ValueTask<VfioResult>> variant, CancellationToken cancellationToken)
    {
        try
        {
            return await variant(call, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Errno.ECANCELED;
        }
        catch (Exception e)
        {
            LogThrown(e, member);
            return Errno.EIO;
        }
    }

    [LoggerMessage(2110, LogLevel.Error, "The variant's migration threw: {Member}")]
    private partial void LogThrown(Exception exception, string member);
}
