using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DEVICE_GET_INFO and DEVICE_RESET.</summary>
internal static class DeviceCommands
{
    public static VfioResult<int> GetInfo(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<DeviceInfoStructure>(request.Body, out var asked) || asked.ArgSize < DeviceInfoStructure.Size)
            return Errno.EINVAL;
        var info = session.Device.Info;
        MemoryMarshal.Write(reply.Payload(DeviceInfoStructure.Size), new DeviceInfoStructure
        {
            ArgSize = DeviceInfoStructure.Size,

            // The protocol has no capabilities here.
            Flags = (uint)(info.Flags & ~DeviceFlags.Capabilities),
            RegionCount = (uint)info.RegionCount,
            IrqCount = (uint)info.IrqCount,
        });
        return DeviceInfoStructure.Size;
    }

    public static VfioResult<int> Reset(ClientSession session, Message request, Reply reply)
    {
        // The client waits for this and may answer nothing meanwhile: a transfer that waited for it would keep the reset waiting.
        session.Requests.Suspend(true);
        try
        {
            var result = OpenedDevice.Wait(session.Device.ResetAsync(ResetCause.DeviceReset, session.Stopping), session.Stopping);
            return result.IsSuccess ? 0 : result.Error;
        }
        finally
        {
            session.Requests.Suspend(false);
        }
    }
}
