using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

public sealed class DescriptorTests
{
    [Fact]
    public async Task A_closed_device_closes_what_it_is_given()
    {
        var eventFd = EventFd.Create();
        var device = OpenDevice.Closed(Function());

        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Msix, 0, eventFd));
        Assert.True(eventFd.IsClosed);
        await device.CloseAsync(ResetCause.Close);
    }

    private static ScriptedFunction Function()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Msi(0x0084);
        hardware.Msix(4, 0, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Lines.Msi = 4;
        function.Lines.Msix = 4;
        return function;
    }
}
