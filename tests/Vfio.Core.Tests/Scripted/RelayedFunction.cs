namespace Vfio.Core.Tests.Scripted;

/// <summary>A function of which something below has made a vfio device; nothing but that device may be asked.</summary>
internal sealed class RelayedFunction(VfioDevice device, PciAddress address, PciId id, int virtualFunctionIndex = -1) : IPciFunction
{
    public PciAddress Address => address;

    public PciId Id => id;

    public string? Model => "relayed";

    public FunctionVirtualization Virtualization => FunctionVirtualization.ByKernel;

    public VfioDevice? Virtualized => device;

    public PciAddress? PhysicalFunction => null;

    public int VirtualFunctionIndex => virtualFunctionIndex;

    public int ConfigSize => throw Bypassed();

    public IInterruptLines Interrupts => throw Bypassed();

    public IReadOnlyList<FunctionResetMethod> ResetMethods => throw Bypassed();

    /// <summary>Over a plain device that virtualizes a raw function.</summary>
    public static RelayedFunction Over(ScriptedFunction function)
        => new(new VfioPciDevice(new VfioPciCore(function)), function.Address, function.Id, function.VirtualFunctionIndex);

    public uint ReadConfig(int offset, int width) => throw Bypassed();

    public void WriteConfig(int offset, int width, uint value) => throw Bypassed();

    public IPciBar? Bar(int index) => throw Bypassed();

    public ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken) => throw Bypassed();

    public void ConnectDma(IDmaSpace? dma) => throw Bypassed();

    private static InvalidOperationException Bypassed() => new("the device below was bypassed");
}
