using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Vfio.Core;

/// <summary>The kernel's vfio-pci-core over a raw function: virtual configuration space, regions, interrupts, reset and features. Thread-safe.</summary>
public sealed class VfioPciCore : IVfioPciCore
{
    /// <summary>Creates the core over a function; nothing is touched until it is enabled.</summary>
    /// <param name="function">The function, <see cref="FunctionVirtualization.Raw"/>.</param>
    /// <param name="logger">Where it logs; null for nowhere.</param>
    /// <exception cref="VfioException">EOPNOTSUPP: somebody below has virtualized the function already.</exception>
    public VfioPciCore(IPciFunction function, ILogger? logger = null)
    {
        if (function.Virtualization != FunctionVirtualization.Raw)
        {
            throw new VfioException(Errno.EOPNOTSUPP,
                $"{function.Address}: its configuration space is virtualized below already, and this core virtualizes raw functions only; " +
                "a pass-through comes with the Linux back end.");
        }

        Function = function;
        _logger = logger ?? NullLogger.Instance;
    }

    private readonly ILogger _logger;

    /// <inheritdoc/>
    public IPciFunction Function { get; }

    /// <inheritdoc/>
    public DeviceInfo Info => throw new NotImplementedException(_logger.ToString());

    /// <inheritdoc/>
    public bool MemoryEnabled => throw new NotImplementedException();

    /// <inheritdoc/>
    public IrqIndex? ActiveIrqIndex => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<VfioResult> EnableAsync(VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken)
        => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask CloseAsync(ResetCause cause) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<RegionInfo> GetRegionInfo(int region) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<IrqInfo> GetIrqInfo(int index) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<RegionMapping> Map(int region) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<int> SetIrqs(in IrqSet set) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void RequestRelease(int count) => throw new NotImplementedException();

    /// <inheritdoc/>
    public VfioResult<int> RegisterRegion(DeviceRegion region) => throw new NotImplementedException();
}
