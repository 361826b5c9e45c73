using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Reset;

/// <summary>The low power features in short, and all that wakes a function.</summary>
internal static class LowPowerRequests
{
    public static TheoryData<string> All =>
    [
        "read", "write", "config", "virtual config", "map", "irq info", "set irqs", "region info", "info", "reset", "probe", "ioeventfd",
    ];

    public static void Ask(OpenDevice device, string request)
    {
        Span<byte> bytes = stackalloc byte[4];
        switch (request)
        {
            case "read":
                Assert.Equal(4, device.Read(0, 0, bytes).Value);
                break;
            case "write":
                Assert.Equal(4, device.Write(0, 0, bytes).Value);
                break;
            case "config":
                device.ReadConfig(8);
                break;
            case "virtual config":
                device.ReadConfig(0);
                break;
            case "map":
                device.Map(0);
                break;
            case "irq info":
                device.GetIrqInfo(0);
                break;
            case "set irqs":
                device.Disable(IrqIndex.Msix);
                break;
            case "region info":
                device.GetRegionInfo(0);
                break;
            case "info":
                _ = device.Info;
                break;
            case "reset":
                device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken).AsTask().GetAwaiter().GetResult();
                break;
            case "probe":
                device.Feature(new(FeatureId.LowPowerExit, FeatureOperation.Probe | FeatureOperation.Set), [], []);
                break;
            case "ioeventfd":
                device.SetIoEventFd(0, 0, 4, 0, null);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(request));
        }
    }

    public static int Read(OpenDevice device)
    {
        Span<byte> bytes = stackalloc byte[4];
        var result = device.Read(0, 0, bytes);
        return result.IsSuccess ? 0 : -(int)result.Error;
    }

    public static int Enter(OpenDevice device) => Feature(device, FeatureId.LowPowerEntry, null, []);

    public static int Enter(OpenDevice device, SafeFileHandle eventFd)
    {
        var data = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(data, 42);
        return Feature(device, FeatureId.LowPowerEntryWithWakeup, eventFd, data);
    }

    public static int Exit(OpenDevice device) => Feature(device, FeatureId.LowPowerExit, null, []);

    public static int Feature(OpenDevice device, int id, SafeFileHandle? eventFd, byte[] data)
    {
        var result = device.Feature(new(id, FeatureOperation.Set) { EventFd = eventFd }, data, []);
        return result.IsSuccess ? result.Value : -(int)result.Error;
    }
}
