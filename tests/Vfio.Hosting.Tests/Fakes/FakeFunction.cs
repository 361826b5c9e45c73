namespace Vfio.Hosting.Tests;

/// <summary>A function that is found and matched, and not opened.</summary>
internal sealed class FakeFunction(string address, ushort device, PciAddress? physicalFunction = null, ushort vendor = 0xF1F1) : IPciFunction
{
    public PciAddress Address { get; } = PciAddress.Parse(address);

    public PciId Id { get; } = new(vendor, device, vendor, 1, 0x010802, 0);

    public string? Model => "fake";

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction { get; } = physicalFunction;

    public int VirtualFunctionIndex => PhysicalFunction is null ? -1 : 0;

    public int ConfigSize => 4096;

    public IInterruptLines Interrupts => throw new NotSupportedException();

    public IReadOnlyList<FunctionResetMethod> ResetMethods => [];

    public uint ReadConfig(int offset, int width) => uint.MaxValue;

    public void WriteConfig(int offset, int width, uint value)
    {
    }

    public IPciBar? Bar(int index) => null;

    public ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken) => new(Errno.ENOTTY);

    public void ConnectDma(IDmaSpace? dma)
    {
    }
}

internal sealed class FakeSource(params IPciFunction[] functions) : IFunctionSource
{
    public string Name => "fake";

    public ValueTask<IReadOnlyList<IPciFunction>> DiscoverAsync(CancellationToken cancellationToken) => new(functions);

    public IControllingFunction? ControllerOf(PciAddress controlled) => null;
}
