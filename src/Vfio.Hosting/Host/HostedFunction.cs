namespace Vfio.Hosting;

/// <summary>A function of a host, and the device over it once somebody has asked for one. One user at a time.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle is never asked for holds nothing that needs disposing.")]
internal sealed class HostedFunction(IPciFunction function, IFunctionSource source)
{
    private readonly SemaphoreSlim _matching = new(1, 1);
    private volatile BoundDevice? _bound;
    private volatile FunctionMatch? _match;
    private string? _requested;
    private volatile string? _use;

    public IPciFunction Function { get; } = function;

    public IFunctionSource Source { get; } = source;

    /// <summary>The device; null if nobody has asked for one, or no driver took the function.</summary>
    public BoundDevice? Bound => _bound;

    /// <summary>What the device is in use for; null if it is free.</summary>
    public string? Use => _use;

    /// <summary>Asks the drivers, unless the device is in use: then what they said is what counts.</summary>
    public async Task<FunctionMatch> ExplainAsync(FunctionMatcher matcher, string? driver, CancellationToken cancellationToken)
    {
        await _matching.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_use is null)
                return await MatchAsync(matcher, driver, cancellationToken).ConfigureAwait(false);
            return driver is null || driver == _bound?.Driver ? _match! : throw Busy();
        }
        finally
        {
            _matching.Release();
        }
    }

    /// <summary>Takes the device, until <see cref="Release"/>.</summary>
    /// <exception cref="VfioException">EBUSY: it is in use. ENODEV: no driver took the function.</exception>
    public async Task<BoundDevice> AcquireAsync(FunctionMatcher matcher, string? driver, string use, CancellationToken cancellationToken)
    {
        await _matching.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_use is not null)
                throw Busy();

            // A device that is whole is kept, with the profile that was chosen for it. One that was degraded or has failed is looked at
            // anew.
            if (_bound is not { Degraded: null, Device.Fault: null } || _requested != driver)
                await MatchAsync(matcher, driver, cancellationToken).ConfigureAwait(false);
            if (_bound is not { } bound)
                throw new VfioException(Errno.ENODEV, $"{Function.Address}: {_match!.Reason}; see: vfio explain {Function.Address}");
            _use = use;
            return bound;
        }
        finally
        {
            _matching.Release();
        }
    }

    public void Release() => _use = null;

    private async Task<FunctionMatch> MatchAsync(FunctionMatcher matcher, string? driver, CancellationToken cancellationToken)
    {
        (_match, _bound) = await matcher.MatchAsync(Function, driver, cancellationToken).ConfigureAwait(false);
        _requested = driver;
        return _match;
    }

    private VfioException Busy() => new(Errno.EBUSY, $"{Function.Address} is in use: {_use}");
}
