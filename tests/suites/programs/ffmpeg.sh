# ffmpeg: pictures and sound encoded, decoded and filtered by code that is written for Advanced SIMD; every file is compared.
set -e
f() { ffmpeg -nostdin -hide_banner -loglevel error -y -threads 2 "$@"; }
f -f lavfi -i testsrc2=s=320x240:r=25:d=1 -f lavfi -i 'sine=440:d=1,aformat=channel_layouts=stereo' -c:v ffv1 -c:a flac -fflags +bitexact -flags +bitexact /tmp/source.mkv
for c in mpeg2video mpeg4 mjpeg libx264 libvpx-vp9; do
  f -i /tmp/source.mkv -map 0:v -c:v $c -b:v 400k -fflags +bitexact -flags +bitexact -map_metadata -1 out/$c.mkv
  f -i out/$c.mkv -f framemd5 -fflags +bitexact -flags +bitexact - | tail -1
done
for c in aac libopus libmp3lame ac3; do
  f -i /tmp/source.mkv -map 0:a -c:a $c -fflags +bitexact -flags +bitexact -map_metadata -1 out/$c.mka
  f -i out/$c.mka -f md5 -fflags +bitexact -flags +bitexact -
done
f -i /tmp/source.mkv -vf 'scale=200:150:flags=lanczos,yadif,boxblur,unsharp,hue=s=2,format=yuv444p' -f framemd5 - | tail -1
f -i /tmp/source.mkv -af 'aresample=22050,equalizer=f=1000:width_type=o:width=2:g=6,aecho' -f md5 -
