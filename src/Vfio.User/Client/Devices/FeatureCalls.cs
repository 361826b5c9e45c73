using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Client.Calls;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>DEVICE_FEATURE.</summary>
internal static class FeatureCalls
{
    /// <summary>A feature, on this thread.</summary>
    /// <param name="client">The client.</param>
    /// <param name="request">Which feature, and what of it.</param>
    /// <param name="input">The data that goes along.</param>
    /// <param name="output">Receives the data that comes back.</param>
    /// <returns>Bytes of data that came back, 0 for a probe.</returns>
    public static VfioResult<int> Carry(VfioUserClient client, in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (Math.Max(input.Length, output.Length) > (int)Limits.DataTransfer - FeatureStructure.Size)
            return Errno.EINVAL;
        if (Begin(client, request, input, output.Length) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var result = client.Caller.Call(
                call, input, request.EventFd is { } eventFd ? new ReadOnlySpan<SafeFileHandle>(ref eventFd) : default);
            var length = Length(client, result);
            if (!length.IsSuccess || request.Operation.HasFlag(FeatureOperation.Probe))
                return length.IsSuccess ? 0 : length;
            var count = Math.Min(length.Value, output.Length);
            call.Reply.Slice(FeatureStructure.Size, count).CopyTo(output);
            return count;
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    /// <summary>A feature whose data is one structure.</summary>
    /// <returns>The structure that came back, zero where less did.</returns>
    public static async ValueTask<VfioResult<T>> CarryAsync<T>(
        VfioUserClient client, int id, FeatureOperation operation, T data, CancellationToken cancellationToken)
        where T : unmanaged
    {
        var length = System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        var input = new byte[length];
        MemoryMarshal.Write(input, data);
        if (BeginWhole(client, new FeatureRequest(id, operation), input) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var result = Length(client, await client.Caller.CallAsync(call, cancellationToken).ConfigureAwait(false));
            if (!result.IsSuccess)
                return result.Error;
            Array.Clear(input);
            call.Reply.Slice(FeatureStructure.Size, Math.Min(result.Value, length)).CopyTo(input);
            return MemoryMarshal.Read<T>(input);
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    /// <summary>A feature without data.</summary>
    public static async ValueTask<VfioResult> CarryAsync(
        VfioUserClient client, int id, FeatureOperation operation, CancellationToken cancellationToken)
    {
        if (BeginWhole(client, new FeatureRequest(id, operation), []) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            return Length(client, await client.Caller.CallAsync(call, cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    private static Call? Begin(VfioUserClient client, in FeatureRequest request, ReadOnlySpan<byte> input, int output)
    {
        var size = FeatureStructure.Size + Math.Max(input.Length, output);
        return client.Caller.Begin(Command.DeviceFeature, Head(request, size), size);
    }

    private static Call? BeginWhole(VfioUserClient client, in FeatureRequest request, byte[] data)
    {
        var whole = new byte[FeatureStructure.Size + data.Length];
        MemoryMarshal.Write(whole, Head(request, whole.Length));
        data.CopyTo(whole.AsSpan(FeatureStructure.Size));
        return client.Caller.Begin(Command.DeviceFeature, whole, whole.Length);
    }

    private static FeatureStructure Head(in FeatureRequest request, int size)
        => new() { ArgSize = (uint)size, Flags = (uint)request.Id | (uint)request.Operation };

    private static VfioResult<int> Length(VfioUserClient client, VfioResult<int> result)
        => !result.IsSuccess ? result
            : result.Value >= FeatureStructure.Size ? result.Value - FeatureStructure.Size
            : client.Refuse($"answers DEVICE_FEATURE with {result.Value} bytes");
}
