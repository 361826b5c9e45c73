using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>The features of a device's migration: MIGRATION, MIG_DEVICE_STATE, MIG_DATA_SIZE, MIG_PRECOPY_INFOv2.</summary>
internal static class MigrationFeatures
{
    public static VfioResult<int> GetCapabilities(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        MemoryMarshal.Write(output, (ulong)session.Migration!.Capabilities);
        return sizeof(ulong);
    }

    public static VfioResult<int> DeviceState(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (isSet)
        {
            var result = session.Migration!.SetState(MemoryMarshal.Read<MigrationDeviceStateStructure>(input).State);
            return result.IsSuccess ? 0 : result.Error;
        }

        const int NoDescriptor = -1;
        var state = session.Migration!.GetState();
        if (!state.IsSuccess)
            return state.Error;
        MemoryMarshal.Write(output, new MigrationDeviceStateStructure { State = (uint)state.Value, DataDescriptor = NoDescriptor });
        return MigrationDeviceStateStructure.Size;
    }

    public static VfioResult<int> GetDataSize(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        var size = session.Migration!.GetDataSize();
        if (!size.IsSuccess)
            return size.Error;
        MemoryMarshal.Write(output, size.Value);
        return sizeof(ulong);
    }

    public static VfioResult<int> EnablePrecopyInfoV2(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        var result = session.Migration!.EnablePrecopyInfoV2();
        return result.IsSuccess ? 0 : result.Error;
    }
}
