namespace Vfio.Plugin.Nvme.Tests;

internal sealed class FakeFunction(int virtualFunctionIndex) : IPciFunction
{
    public PciAddress Address { get; } = new(0, 0x3b, 0, (byte)(virtualFunctionIndex + 1));

    public PciId Id { get; } = new(0x1af4, 0x1, 0, 0, 0x010802, 0);

    public string? Model => null;

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction => virtualFunctionIndex < 0 ? null : FakeController.PrimaryAddress;

    public int VirtualFunctionIndex => virtualFunctionIndex;

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
