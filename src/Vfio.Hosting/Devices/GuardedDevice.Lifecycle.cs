namespace Vfio.Hosting.Devices;

// The slow members: each runs apart from the caller, because what never returns must not take the caller with it.
internal sealed partial class GuardedDevice
{
    private volatile TaskCompletionSource? _open;

    /// <summary>Completes when whoever has the device open has closed it; completed while it is closed.</summary>
    public Task Closed => _open?.Task ?? Task.CompletedTask;

    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        if (_fault is not null)
            return Errno.EIO;
        _openTold = false;
        var result = await RunAsync(nameof(OpenAsync), token => _inner.OpenAsync(context, token), cancellationToken).ConfigureAwait(false);
        if (_fault is not null)
            await QuiesceAsync(ResetCause.Close).ConfigureAwait(false);
        if (result.IsSuccess)
        {
            TellOpened();
            _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
            // A device in another process shows its log once it is open.
            _dmaLogging.Open(context.Dma, OwnLog());
        }

        return result;
    }

    public override async ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => _fault is not null
            ? Errno.EIO
            : await RunAsync(nameof(ResetAsync), token => _inner.ResetAsync(cause, token), cancellationToken).ConfigureAwait(false);

    public override async ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken)
        => _fault is not null
            ? Errno.EIO
            : await RunAsync(nameof(HotResetAsync), token => _inner.HotResetAsync(token), cancellationToken).ConfigureAwait(false);

    public override async ValueTask CloseAsync(ResetCause cause)
    {
        _closeTold = false;

        // First, so that the driver's close does not wait for a save that waits for a reader.
        _service?.EndStream();
        await RunAsync(nameof(CloseAsync), CloseInnerAsync, CancellationToken.None).ConfigureAwait(false);
        if (_fault is not null)
            await QuiesceAsync(cause).ConfigureAwait(false);
        TellClosed(cause);
        _open?.TrySetResult();

        async ValueTask<VfioResult> CloseInnerAsync(CancellationToken _)
        {
            // A client that vanishes stops nothing by itself.
            _dmaLogging.Close();
            await _inner.CloseAsync(cause).ConfigureAwait(false);
            return VfioResult.Success;
        }
    }

    // Without the driver's help: interrupts off, DMA ended, the function reset.
    private async ValueTask QuiesceAsync(ResetCause cause)
    {
        if (_core is null)
            return;
        await RunAsync("closing the core", CloseCoreAsync, CancellationToken.None).ConfigureAwait(false);

        async ValueTask<VfioResult> CloseCoreAsync(CancellationToken _)
        {
            await _core.CloseAsync(cause).ConfigureAwait(false);
            return VfioResult.Success;
        }
    }

    private async ValueTask<VfioResult> RunAsync(
        string member, Func<CancellationToken, ValueTask<VfioResult>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await Bounded.RunAsync(work, _limit, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OverrunException e)
        {
            return Break($"{member} {e.Message}");
        }
        catch (Exception e)
        {
            return Threw(member, e);
        }
    }
}
